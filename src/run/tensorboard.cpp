#include "run/tensorboard.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>

namespace hone {

namespace {

static_assert(std::endian::native == std::endian::little, "numbers are written as they lie in memory");

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

template <class T>
std::string bytes_of(T value) {
  std::string out(sizeof value, '\0');
  std::memcpy(out.data(), &value, sizeof value);
  return out;
}

std::string varint(uint64_t v) {
  std::string out;
  for (; v >= 0x80; v >>= 7) out += static_cast<char>(v | 0x80);
  return out + static_cast<char>(v);
}

enum Wire : uint32_t { kVarint = 0, k64 = 1, kBytes = 2, k32 = 5 };
std::string tag(uint32_t field, Wire wire) { return varint(field << 3 | wire); }
std::string nested(uint32_t field, std::string_view bytes) { return tag(field, kBytes) + varint(bytes.size()) + std::string(bytes); }

uint32_t masked(std::string_view bytes) {
  const uint32_t crc = crc32c(bytes);
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

tl::unexpected<Error> io_error(const std::string& path, int code = errno) { return fail(Code::io, std::string("cannot write: ") + std::strerror(code), path); }

}  // namespace

// Castagnoli's polynomial, reflected.
uint32_t crc32c(std::string_view bytes) {
  static const auto table = [] {
    std::array<uint32_t, 256> t{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t c = i;
      for (int k = 0; k < 8; ++k) c = c & 1 ? c >> 1 ^ 0x82f63b78u : c >> 1;
      t[i] = c;
    }
    return t;
  }();
  uint32_t crc = ~0u;
  for (const char c : bytes) crc = table[(crc ^ static_cast<unsigned char>(c)) & 255] ^ crc >> 8;
  return ~crc;
}

Result<TensorBoard> TensorBoard::create(const std::string& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return io_error(folder, failed.value());
  char host[256] = "?";
  ::gethostname(host, sizeof host - 1);
  const double time = now();
  for (int n = 0;; ++n) {
    const std::string path = fmt::format("{}/events.out.tfevents.{:010}.{}.{}.{}", folder, static_cast<int64_t>(time), host, ::getpid(), n);
    const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0 && errno == EEXIST) continue;
    if (file < 0) return io_error(path);
    TensorBoard board(path, file);
    HONE_TRY(board.record(tag(1, k64) + bytes_of(time) + nested(3, "brain.Event:2")));
    return board;
  }
}

TensorBoard::TensorBoard(TensorBoard&& other) noexcept : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)) {}

TensorBoard::~TensorBoard() {
  if (file_ >= 0) ::close(file_);
}

Status TensorBoard::record(const std::string& bytes) {
  const std::string length = bytes_of(static_cast<uint64_t>(bytes.size()));
  const std::string out = length + bytes_of(masked(length)) + bytes + bytes_of(masked(bytes));
  struct stat before {};
  if (::fstat(file_, &before) != 0) return io_error(path_);
  ssize_t n;
  do n = ::write(file_, out.data(), out.size());
  while (n < 0 && errno == EINTR);
  if (n == static_cast<ssize_t>(out.size())) return {};
  const int code = n < 0 ? errno : ENOSPC;
  if (n > 0) (void)!::ftruncate(file_, before.st_size);  // readers stop at a broken record
  return io_error(path_, code);
}

Status TensorBoard::scalars(int64_t step, double wall_time, const std::vector<std::pair<std::string, double>>& values) {
  if (values.empty()) return {};
  std::string summary;
  for (const auto& [name, value] : values) summary += nested(1, nested(1, name) + tag(2, k32) + bytes_of(static_cast<float>(value)));
  return record(tag(1, k64) + bytes_of(wall_time) + tag(2, kVarint) + varint(static_cast<uint64_t>(step)) + nested(5, summary));
}

Status TensorBoard::append(const Event& event) {
  std::vector<std::pair<std::string, double>> values;
  for (const auto& [name, value] : event.values) {
    if (const auto* real = std::get_if<double>(&value)) values.emplace_back(event.kind + "/" + name, *real);
    else if (const auto* integer = std::get_if<int64_t>(&value)) values.emplace_back(event.kind + "/" + name, static_cast<double>(*integer));
  }
  return scalars(event.step, now(), values);
}

}  // namespace hone
