// How many pictures a second one thread brings from a folder or zip into a float batch. bench/image_pipeline.py runs this
// beside Pillow and torchvision.
//
//   image_pipeline make FOLDER SIDE COUNT    writes JPEGs like photos: smooth shading, edges, texture; quality 90
//   image_pipeline run PATH SIDE [SECONDS]   JSON, one line for each work; pictures are read from PATH every time
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "core/file.h"
#include "data/image_batches.h"

namespace {

using namespace hone;
using Clock = std::chrono::steady_clock;

int report(const Error& error) {
  fmt::print(stderr, "image_pipeline: {}\n", error.text());
  return 1;
}

// Noise in octaves is a fair stand-in for a photo: its spectrum falls with frequency.
Image picture(int side, uint64_t seed) {
  Image out{side, side, std::vector<uint8_t>(size_t(3) * size_t(side) * size_t(side), 128)};
  Rng rng(seed);
  double amplitude = 70;
  std::vector<double> sum(out.pixels.size(), 128);
  for (int cells = 3; cells < side; cells *= 2, amplitude *= 0.5) {
    Image coarse{cells, cells, std::vector<uint8_t>(size_t(3 * cells * cells))};
    for (uint8_t& v : coarse.pixels) v = uint8_t(rng.below(256));
    const Image fine = resize(coarse, side, side, Filter::bicubic);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += amplitude * (fine.pixels[i] / 127.5 - 1);
  }
  for (size_t i = 0; i < sum.size(); ++i) out.pixels[i] = uint8_t(std::clamp(sum[i], 0.0, 255.0));
  return out;
}

int make(const std::string& folder, int side, int count) {
  for (int i = 0; i < count; ++i) {
    const std::string path = fmt::format("{}/train/class{}/{:05}.jpg", folder, i % 10, i);
    std::error_code ec;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ec);
    const auto jpeg = encode_jpeg(picture(side, uint64_t(i)), 90);
    if (!jpeg) return report(jpeg.error());
    if (const Status written = write_file(path, *jpeg, true); !written) return report(written.error());
  }
  return 0;
}

double processor_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return double(t.tv_sec) + double(t.tv_nsec) * 1e-9;
}

// Median of five passes of `seconds` each; also by processor time, which other programs on the machine disturb less.
int measure(const ImageFolder& folder, const std::string& name, const Transform& transform, double seconds) {
  BatchOptions options;
  options.transform = transform;
  options.batch = 50;
  options.unreadable = Unreadable::refuse;
  options.shuffle = false;
  const auto batches = ImageBatches::make(std::make_shared<const ImageFolder>(folder), folder.splits[0].name, options);
  if (!batches) return report(batches.error());
  ImageBatch batch;
  std::vector<double> rates, processor;
  int64_t step = 0;
  for (int pass = 0; pass < 6; ++pass) {
    const auto start = Clock::now();
    const double processor_start = processor_seconds();
    int64_t images = 0;
    double spent = 0;
    while (spent < seconds) {
      if (const Status made = (*batches)(step++ % batches->steps_per_epoch(), batch); !made) return report(made.error());
      images += int64_t(batch.labels.size());
      spent = std::chrono::duration<double>(Clock::now() - start).count();
    }
    if (pass == 0) continue;  // warms up
    rates.push_back(double(images) / spent);
    processor.push_back(double(images) / (processor_seconds() - processor_start));
  }
  std::sort(rates.begin(), rates.end());
  std::sort(processor.begin(), processor.end());
  fmt::print("{{\"work\":\"{}\",\"images_per_second\":{:.0f},\"worst_pass\":{:.0f},\"images_per_processor_second\":{:.0f}}}\n", name, rates[2], rates[0], processor[2]);
  std::fflush(stdout);
  return 0;
}

int run(const std::string& path, int side, double seconds) {
  const auto folder = open_image_folder(path);
  if (!folder) return report(folder.error());
  if (side <= 64) {
    Transform whole = small_image_transform(side);
    whole.padding = 0;
    whole.flip = 0;
    if (const int bad = measure(*folder, "decode, normalise", whole, seconds)) return bad;
    return measure(*folder, "decode, padded crop, flip, normalise", small_image_transform(side), seconds);
  }
  Transform centre = evaluation_transform(224);
  if (const int bad = measure(*folder, "decode, resize 256, centre 224, normalise (bilinear)", centre, seconds)) return bad;
  centre.filter = Filter::bicubic;
  if (const int bad = measure(*folder, "decode, resize 256, centre 224, normalise (bicubic)", centre, seconds)) return bad;
  Transform random = training_transform(224);
  if (const int bad = measure(*folder, "decode, random resized crop 224, flip, normalise", random, seconds)) return bad;
  random.rand_augment = {2, 9, 0.5, RandAugmentList::timm};
  return measure(*folder, "the same with RandAugment", random, seconds);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "make" && argc == 5) return make(argv[2], std::atoi(argv[3]), std::atoi(argv[4]));
  if (what == "run" && (argc == 4 || argc == 5)) return run(argv[2], std::atoi(argv[3]), argc == 5 ? std::atof(argv[4]) : 2);
  fmt::print(stderr, "usage: image_pipeline make FOLDER SIDE COUNT | image_pipeline run PATH SIDE [SECONDS]\n");
  return 2;
}
