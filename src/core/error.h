// Errors are values at room borders: what went wrong, where, and what to do about it.
// Libraries never abort, print or exit; main.cpp turns an Error into a message and an exit code.
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace hone {

enum class Code : uint8_t {
  failed,          // the work could not be done                       exit 1
  usage,           // the request itself is wrong                      exit 2
  budget_not_met,  // no network fits the budget                       exit 3
  invalid,         // a file or graph breaks its own rules             exit 1
  unsupported,     // valid, but hone has no rule for it               exit 1
  not_found,       // a file, network or name does not exist           exit 1 (usage for NET names)
  io,              // the operating system said no                     exit 1
};

struct Error {
  Code code = Code::failed;
  std::string message;  // one sentence: what was found, what was expected
  std::string where;    // file, line, byte offset, node or parameter; may be empty
  std::string hint;     // what to do; may be empty

  // "where: message (hint)", without a trailing newline.
  std::string text() const;
};

// Process exit code of an error, as docs/cli.md lists them.
int exit_code(Code code);

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> fail(Code code, std::string message, std::string where = {}, std::string hint = {}) {
  return tl::unexpected<Error>(Error{code, std::move(message), std::move(where), std::move(hint)});
}
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

}  // namespace hone

// Leaves the enclosing function with the error of `expr`, or goes on. HONE_TRY_ASSIGN also names the value.
#define HONE_CONCAT_(a, b) a##b
#define HONE_CONCAT(a, b) HONE_CONCAT_(a, b)
#define HONE_TRY(expr)                                               \
  do {                                                               \
    if (auto hone_status_ = (expr); !hone_status_) return ::hone::fail(std::move(hone_status_).error()); \
  } while (0)
#define HONE_TRY_ASSIGN(decl, expr)                                                              \
  auto HONE_CONCAT(hone_result_, __LINE__) = (expr);                                             \
  if (!HONE_CONCAT(hone_result_, __LINE__))                                                      \
    return ::hone::fail(std::move(HONE_CONCAT(hone_result_, __LINE__)).error());                 \
  decl = std::move(*HONE_CONCAT(hone_result_, __LINE__))
