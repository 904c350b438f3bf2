// Device tables: what blocks and whole networks take on one device, engine and thread count, as a JSON file that any
// program can read and write (docs/device.md). Numbers alone: predictors are fitted from them when they are needed, so a
// table outlives the program that wrote it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "measure/device_block.h"

namespace hone {

inline constexpr int64_t kDeviceTableVersion = 1;

// Where, with what and how the times were taken. What is not known stays empty or 0.
struct DeviceFacts {
  std::string name;                     // "Pixel 6", or the processor
  std::string cpu;
  int64_t cores = 0;
  std::string engine, engine_version;   // "openvino", "2026.4.1-..."
  int64_t threads = 0;                  // of one inference
  std::string precision;                // "f32"
  std::string basis;                    // what a time is: "undisturbed", "cpu time" (measure/timing.h)
  std::string anchor;                   // the network timed in every group: a name, or the encoding of a member of the space
  double anchor_ms = 0;                 // its time when the table was begun; 0: none was
  std::string began, ended;             // UTC, "2026-11-23T14:05:00Z"
  double seconds = 0;                   // of measuring, all sittings together
  std::string hone;                     // version that measured
  std::string note;
};
// Whether times of the one may stand beside times of the other: the same processor, engine and version, threads, precision.
// The error says what differs.
Status same_device(const DeviceFacts& a, const DeviceFacts& b);

struct MeasuredTime {
  double ms = 0;             // median
  double low = 0, high = 0;  // interval of the median at 95 %; 0, 0 when not known
  int64_t rounds = 0;        // 0: not known
};

struct BlockRow {
  Block block;
  MeasuredTime time;  // of the block alone, its frame taken off
  std::string label;  // what a cut holds, for people: "Conv1x1 Conv3x3/2 Conv1x1"
};

struct NetworkRow {
  std::string network;  // a name, or the encoding of a member of the space
  std::vector<BlockCount> blocks;
  double acts = 0;      // output elements of products, for the activation model
  MeasuredTime time;
};

struct DeviceTable {
  DeviceFacts device;
  std::string space;    // what it was built for: "elasticvit", or names of networks; empty for imported ones
  std::vector<BlockRow> rows;
  std::vector<NetworkRow> networks;

  const BlockRow* find(const Block& block) const;
};

// The file's text: one row a line, the checksum last. checksum = SHA-256 of every byte before the line that holds it.
std::string print_table(const DeviceTable& table);

// Everything is checked: version, known kinds, times that are positive numbers, no block twice. Errors (Code::invalid) name
// the file and what is wrong: cut short, altered since it was written (checksum), another format, a later version.
enum class Checksum : uint8_t { required, ignored };  // ignored: tables that were written by hand or by other programs
Result<DeviceTable> parse_table(const std::string& json, const std::string& source, Checksum checksum = Checksum::required);

Result<DeviceTable> read_table(const std::string& path);
// Beside the path and renamed: a table that is being built is whole at every moment.
Status write_table(const DeviceTable& table, const std::string& path, bool force);

// Other people's tables (docs/device.md, "Tables from elsewhere"): a device table as JSON, its checksum ignored, or plain
// text with a line per block, "conv 16 16 16 e3 s1 k3 se | 0.1343 0.05633", and a column of milliseconds per device.
// `column` counts from 0. Text has no device facts: `facts` become the table's.
Result<DeviceTable> import_table(const std::string& text, const std::string& source, size_t column, const DeviceFacts& facts);

}  // namespace hone
