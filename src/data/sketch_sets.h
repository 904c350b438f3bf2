// Sets of sketches and photos on disk: recognised by their layout, checked, counted.
#pragma once

#include <string>

#include "data/sketch_photos.h"

namespace hone {

struct SketchSetOptions {
  bool check_photos = true;   // decode every photo now; without it only their presence is known
  bool strict = false;        // bad data is refused instead of skipped
  int test_per_category = 10; // Sketchy without a list of test photos: this many of each category, last by name
};

// Layouts:
//   QMUL     DIR/<Set>_Coordinate (pickled strokes) and DIR/photo/<id>.png; the keys name the split
//   Sketchy  DIR/photo[s][/<variant>]/<class>/<id>.jpg and DIR/sketch[es][/<variant>]/<class>/<id>-<k>.svg. The rendered
//            .png sketches have no strokes and are refused; the variant taken is the one scaled like its photo,
//            tx_000000000000. Test photos: DIR/info/testset.txt or DIR/testset.txt, else by test_per_category. Sketches in
//            info/invalid-*.txt are skipped.
//   hone     DIR/sketches.ndjson, one line a sketch {"id", "photo", "split": "train"|"test", "word", "frame", "drawing":
//            [[xs, ys], ...]}, and DIR/photos/<photo>.png|.jpg
//
// Skipped by rule, named in `notes`: a sketch whose photo is missing or unreadable, one without strokes, the second of two
// with one id. Photos that no sketch shows are left out and counted. Refused: a photo whose sketches are in both splits,
// an unknown split, nothing left. Split sizes that differ from what papers print for the set are noted.
Result<SketchPhotoSet> open_sketch_photos(const std::string& path, const SketchSetOptions& options = {});

// The set in hone's layout: photos decoded and written as PNG, ids with characters that file names do not take changed.
// The folder must be new or empty.
Status write_sketch_photos(const SketchPhotoSet& set, const std::string& folder);

// Hash over ids, photos, splits and strokes, as `checksum` holds it.
std::string checksum_of(const SketchPhotoSet& set);

// "train: 952 sketches of 300 photos; ..." and one line a note.
std::string describe(const SketchPhotoSet& set);

}  // namespace hone
