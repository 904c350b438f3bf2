#include "measure/device_build.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "cost/profile.h"

#include "measure/device_frame.h"
#include "measure/predict.h"

namespace hone {
namespace {

using space::published_space;

// A device with the habits of a real one: channels are padded to 16, small work has its own price, weights of a network do
// not stay in the cache, blocks alone pay for changing their layout; measurements scatter.
struct Device {
  Rng rng{3};
  double noise = 0.01, clock = 0;
  int measured = 0, fail_after = 1 << 30;

  static double block(const Block& b) {
    const BlockWork w = work_of(b);
    const double width = static_cast<double>(b.sizes.back()), rate = 40 * (0.5 + w.macs / (w.macs + 3));
    const double in = static_cast<double>(b.kind == "mobile" || b.kind == "downsample" ? b.sizes[1] : 16);
    return w.macs / rate * (std::ceil(in / 16) * 16 / in) + w.elements * 0.09 + 0.004 + 0.001 * std::sin(width);
  }
  static double network(const std::vector<BlockCount>& blocks) {
    double ms = 0.05;
    for (const BlockCount& c : blocks) ms += static_cast<double>(c.count) * (0.93 * block(c.block) + 0.08 * work_of(c.block).weights);
    return ms;
  }
  double scatter() { return 1 + noise * (2 * rng.uniform() - 1) * 1.7; }
  MeasuredTime time(double ms) {
    ms *= scatter();
    clock += 0.1 + 0.02 * ms;
    return {ms, ms * (1 - noise), ms * (1 + noise), 12};
  }
  Meter meter() {
    return [this](const std::vector<Probe>& probes) -> Result<std::vector<MeasuredTime>> {
      std::vector<MeasuredTime> out;
      for (const Probe& p : probes) {
        if (++measured > fail_after) return fail(Code::io, "the power went");
        const bool framed = p.blocks[0].block.kind == kFrameKind, alone = p.blocks.size() == 1 && p.blocks[0].count == 1;
        double ms = framed ? 0.03 + 1e-6 * static_cast<double>(p.blocks[0].block.sizes[1] * p.blocks[0].block.sizes[2]) : 0;
        if (framed && p.blocks.size() > 1) ms += static_cast<double>(p.blocks[1].count) * block(p.blocks[1].block);
        out.push_back(time(framed ? ms : alone ? block(p.blocks[0].block) + 0.01 : network(p.blocks)));
      }
      return out;
    };
  }
};

BuildOptions options_for(Device& d, double seconds) {
  BuildOptions o;
  o.seconds = seconds;
  o.clock = [&d] { return d.clock; };
  return o;
}

TEST(DeviceBuild, PredictsNetworksThatItHasNotSeen) {
  const auto plan = plan_for(published_space(), "elasticvit", 1);
  ASSERT_TRUE(plan);
  Device device;
  DeviceTable table;
  const Meter meter = device.meter();
  ASSERT_TRUE(build_table(table, *plan, meter, options_for(device, 150)));
  EXPECT_LT(device.clock, 155);
  EXPECT_GT(table.rows.size(), 200u);
  EXPECT_GT(table.networks.size(), 50u);
  const auto predictor = Predictor::fit(table, TimeModel::table), line = Predictor::fit(table, TimeModel::linear), acts = Predictor::fit(table, TimeModel::activations);
  ASSERT_TRUE(predictor && line && acts);
  EXPECT_TRUE(predictor->corrected());
  Rng rng(99);
  std::vector<Pair> pairs, by_line, by_acts;
  for (int i = 0; i < 200; ++i) {
    const auto probe = probe_of(published_space(), space::sample(published_space(), rng));
    ASSERT_TRUE(probe);
    const double truth = Device::network(probe->blocks);
    const auto p = (*predictor)(probe->blocks, probe->acts);
    ASSERT_TRUE(p);
    pairs.push_back({truth, p->ms});
    by_line.push_back({truth, (*line)(probe->blocks, probe->acts)->ms});
    by_acts.push_back({truth, (*acts)(probe->blocks, probe->acts)->ms});
  }
  const Errors e = errors_of(pairs), l = errors_of(by_line), a = errors_of(by_acts);
  EXPECT_LT(e.median, 0.01);
  EXPECT_LT(e.p90, 0.02);
  EXPECT_GT(e.spearman, 0.999);
  EXPECT_LT(e.median, l.median);
  EXPECT_LT(l.median, a.median);
  // The hold-out of the table itself says about the same.
  const auto held = held_out_networks(table, TimeModel::table);
  ASSERT_TRUE(held);
  EXPECT_EQ(held->size(), table.networks.size());
  EXPECT_LT(errors_of(*held).median, 0.015);
}

TEST(DeviceBuild, GoesOnWhereItStopped) {
  const auto plan = plan_for(published_space(), "elasticvit", 1, 1000, 400);
  ASSERT_TRUE(plan);
  Device device;
  device.fail_after = 100;
  DeviceTable table, saved;
  BuildOptions o = options_for(device, 60);
  o.save = [&](const DeviceTable& t) -> Status {
    saved = t;
    return {};
  };
  const Meter meter = device.meter();
  const auto stopped = build_table(table, *plan, meter, o);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().message, "the power went");
  ASSERT_GT(saved.rows.size(), 50u);
  const DeviceTable before = saved;
  device.fail_after = 1 << 30;
  DeviceTable again = saved;
  const double clock = device.clock;
  ASSERT_TRUE(build_table(again, *plan, meter, o));
  // Rows are kept, and the time of the first sitting counts.
  for (size_t i = 0; i < before.rows.size(); ++i) EXPECT_EQ(again.rows[i].block, before.rows[i].block);
  EXPECT_GT(again.rows.size(), before.rows.size());
  EXPECT_NEAR(device.clock - clock + before.device.seconds, 60, 2);
}

TEST(DeviceBuild, ANoisyRowIsMeasuredAgain) {
  const auto plan = plan_for(published_space(), "elasticvit", 1, 3, 2);
  ASSERT_TRUE(plan);
  std::map<std::string, int> asked;
  double clock = 0;
  const Meter meter = [&](const std::vector<Probe>& probes) -> Result<std::vector<MeasuredTime>> {
    std::vector<MeasuredTime> out;
    for (const Probe& p : probes) {
      clock += 0.1;
      if (p.blocks[0].block.kind == kFrameKind && p.blocks.size() == 1) {
        out.push_back({0.01, 0.0099, 0.0101, 8});
        continue;
      }
      const bool rough = ++asked[p.name] == 1;
      out.push_back(rough ? MeasuredTime{2, 1, 3, 8} : MeasuredTime{1.5, 1.49, 1.51, 8});
    }
    return out;
  };
  DeviceTable table;
  BuildOptions o;
  o.seconds = 30;
  o.clock = [&] { return clock; };
  ASSERT_TRUE(build_table(table, *plan, meter, o));
  size_t again = 0, blocks = 0;
  for (const BlockRow& row : table.rows) {
    if (row.block.kind == kFrameKind) continue;
    ++blocks;
    again += (row.time.high - row.time.low) / row.time.ms < 0.1;
  }
  EXPECT_GT(again, blocks / 2);
  for (const auto& [name, times] : asked) EXPECT_LE(times, 4) << name;
}

// Work of a framed graph is the block's, as often as it is repeated, and the frame's.
TEST(DeviceBuild, AFrameAddsItsOwnWork) {
  for (const char* text : {"attention side=8 width=48 value=3", "feed_forward side=4 width=144 mlp=2", "mobile side=20 in=24 out=24 expand=3 stride=1 kernel=5 se=1", "mobile side=20 in=24 out=40 expand=3 stride=2 kernel=5 se=1", "head side=4 width=160"}) {
    const Block block = *parse_block(text);
    const auto framed = in_frame(*block_graph(block));
    ASSERT_TRUE(framed) << text << ": " << framed.error().text();
    ASSERT_TRUE(framed->frame) << text;
    const bool again = std::string(text).find("in=24 out=40") == std::string::npos && block.kind != "head";
    EXPECT_EQ(framed->repeats, again ? kRepeats : 1) << text;
    const auto frame = frame_graph(*framed->frame);
    ASSERT_TRUE(frame);
    const double all = static_cast<double>(profile(framed->graph)->totals.macs), own = static_cast<double>(profile(*frame)->totals.macs);
    EXPECT_DOUBLE_EQ(all, own + static_cast<double>(framed->repeats) * work_of(block).macs * 1e6) << text;
  }
  const auto first = in_frame(*block_graph(*parse_block("first_conv side=32 in=3 out=16")));
  ASSERT_TRUE(first);
  EXPECT_FALSE(first->frame);
}

// A network that was not measured: no part of it is guessed, and the time is about right.
void expect_close(const Predictor& predictor, const std::vector<BlockCount>& blocks) {
  const auto p = predictor(blocks, 0);
  ASSERT_TRUE(p);
  EXPECT_EQ(p->guessed, 0);
  EXPECT_NEAR(p->ms / Device::network(blocks), 1, 0.2);
}

// Members of a space with blocks of its own are built and cut.
TEST(DeviceBuild, ASpaceOfOtherBlocksIsCut) {
  const auto space = space::open_space("small-conv");
  ASSERT_TRUE(space) << space.error().text();
  const auto plan = plan_for(*space, space->name, 1, 100, 30);
  ASSERT_TRUE(plan) << plan.error().text();
  EXPECT_EQ(plan->space, "small-conv");
  ASSERT_EQ(plan->networks.size(), 30u);
  // The anchor is one of them, with about as many as take more as take less.
  const auto anchor = probe_of(*space, plan->anchor);
  ASSERT_TRUE(anchor) << anchor.error().text();
  const auto larger = std::count_if(plan->networks.begin(), plan->networks.end(), [&](const Probe& n) { return n.acts > anchor->acts; });
  EXPECT_NEAR(static_cast<double>(larger), 15, 1);
  // How often blocks occur adds up to a network's number of blocks.
  double often = 0, in_networks = 0;
  for (const BuildPlan::Candidate& c : plan->blocks) {
    EXPECT_TRUE(c.probe.blocks[0].block.kind.starts_with(kCutKind));
    ASSERT_TRUE(c.probe.graph()) << c.probe.name;
    often += c.often;
  }
  for (const Probe& n : plan->networks)
    for (const BlockCount& b : n.blocks) in_networks += static_cast<double>(b.count) / 30;
  EXPECT_NEAR(often, in_networks, 0.1 * in_networks);
  Device device;
  DeviceTable table;
  const Meter meter = device.meter();
  ASSERT_TRUE(build_table(table, *plan, meter, options_for(device, 120)));
  EXPECT_GT(table.networks.size(), 20u);
  const auto predictor = Predictor::fit(table, TimeModel::table);
  ASSERT_TRUE(predictor);
  Rng rng(99);
  for (int i = 0; i < 10; ++i) {
    const auto blocks = parts_of(space::to_arch(*space, space::sample(*space, rng), "other"));
    ASSERT_TRUE(blocks);
    expect_close(*predictor, *blocks);
  }
}

TEST(DeviceBuild, GivenNetworksAreCoveredInSmallAndLarge) {
  std::vector<Network> networks;
  for (const char* name : {"pycls/RegNetX-200MF", "timm/resnet18"}) {
    auto n = open_network(name);
    ASSERT_TRUE(n);
    networks.push_back(std::move(*n));
  }
  const auto plan = plan_for(networks);
  ASSERT_TRUE(plan) << plan.error().text();
  EXPECT_EQ(plan->networks.size(), 10u);
  Device device;
  DeviceTable table;
  const Meter meter = device.meter();
  ASSERT_TRUE(build_table(table, *plan, meter, options_for(device, 60)));
  EXPECT_EQ(table.networks.size(), 10u);
  const auto predictor = Predictor::fit(table, TimeModel::table);
  ASSERT_TRUE(predictor);
  // A network between the measured ones.
  const auto other = open_network("timm/resnet34");
  ASSERT_TRUE(other);
  const auto blocks = blocks_of(*other);
  ASSERT_TRUE(blocks);
  expect_close(*predictor, *blocks);
}

}  // namespace
}  // namespace hone
