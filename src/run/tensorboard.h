// TensorBoard's event files, scalars only: TFRecord framing around hand-written protobuf messages.
//   record: length u64, masked CRC-32C of it u32, bytes, masked CRC-32C of those u32 (tensorflow/core/lib/io/record_writer)
//   Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5 }
//   Summary { repeated Value value = 1 { string tag = 1; float simple_value = 2 } }
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"
#include "run/run_dir.h"

namespace hone {

uint32_t crc32c(std::string_view bytes);

class TensorBoard {
 public:
  // A new file "events.out.tfevents.SECONDS.HOST.PID.N" in `folder`, which is made. TensorBoard reads all files of a
  // folder; where steps repeat after a resume it keeps the newer ones.
  static Result<TensorBoard> create(const std::string& folder);
  TensorBoard(TensorBoard&& other) noexcept;
  TensorBoard& operator=(TensorBoard&&) = delete;
  ~TensorBoard();

  Status scalars(int64_t step, double wall_time, const std::vector<std::pair<std::string, double>>& values);
  // The numbers of an event as "KIND/NAME"; nothing is written for a note.
  Status append(const Event& event);

 private:
  TensorBoard(std::string path, int file) : path_(std::move(path)), file_(file) {}
  Status record(const std::string& bytes);
  std::string path_;
  int file_;
};

}  // namespace hone
