#!/usr/bin/env python3
"""Pictures a second on one thread, hone beside Pillow with torchvision's transforms, on the same files.

    bench/image_pipeline.py [--photos FOLDER] [--small ZIP] [--seconds 2] [--python PYTHON]

Without --photos 300 pictures of 400x400 are made (smooth noise, JPEG quality 90); FOLDER holds class folders. Without
--small 2,000 pictures of 32x32 are made and packed into a zip. The peer needs Pillow, torch and torchvision in PYTHON and
is left out, by name, when one is missing. Each work runs for five passes; medians are printed, hone and peer in turn.
"""
import argparse, io, json, os, statistics, subprocess, sys, tempfile, time, zipfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BINARY = os.path.join(ROOT, "build/release/image_pipeline")


def passes(work, files, seconds):
    rates = []
    for _ in range(6):
        start, done = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            for name in files[done % len(files):][:50]:
                work(name)
                done += 1
        rates.append(done / (time.perf_counter() - start))
    return statistics.median(rates[1:])


def peer(path, side, seconds):
    """Runs in PYTHON: prints the same lines as the program."""
    import torch, torchvision.transforms as T
    from PIL import Image
    torch.set_num_threads(1)
    bilinear, bicubic = T.InterpolationMode.BILINEAR, T.InterpolationMode.BICUBIC
    last = [T.ToTensor(), T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
    if side <= 64:
        works = {"decode, normalise": T.Compose(last), "decode, padded crop, flip, normalise": T.Compose([T.RandomCrop(side, side // 8), T.RandomHorizontalFlip()] + last)}
        archive = zipfile.ZipFile(path)
        files = [n for n in archive.namelist() if n.endswith(".jpg") and "train/" in n][:2000]
        read = archive.read
    else:
        works = {
            "decode, resize 256, centre 224, normalise (bilinear)": T.Compose([T.Resize(256, bilinear), T.CenterCrop(224)] + last),
            "decode, resize 256, centre 224, normalise (bicubic)": T.Compose([T.Resize(256, bicubic), T.CenterCrop(224)] + last),
            "decode, random resized crop 224, flip, normalise": T.Compose([T.RandomResizedCrop(224), T.RandomHorizontalFlip()] + last),
            "the same with RandAugment": T.Compose([T.RandomResizedCrop(224), T.RandomHorizontalFlip(), T.RandAugment(2, 27)] + last),
        }
        files = [os.path.join(d, f) for d, _, fs in os.walk(path) for f in fs if f.lower().endswith((".jpg", ".jpeg"))]
        read = lambda name: open(name, "rb").read()
    for name, transform in works.items():
        rate = passes(lambda f: transform(Image.open(io.BytesIO(read(f))).convert("RGB")), sorted(files), seconds)
        print(json.dumps({"work": name, "images_per_second": round(rate)}), flush=True)


def lines(command):
    out = subprocess.run(command, capture_output=True, text=True)
    if out.returncode:
        return None, (out.stderr.strip().splitlines() or ["failed"])[-1]
    return {row["work"]: row["images_per_second"] for row in map(json.loads, out.stdout.splitlines())}, ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos")
    parser.add_argument("--small")
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--peer", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        return peer(options.peer[0], int(options.peer[1]), options.seconds)
    with tempfile.TemporaryDirectory() as folder:
        photos, small = options.photos, options.small
        if not photos:
            photos = os.path.join(folder, "photos")
            subprocess.run([BINARY, "make", photos, "400", "300"], check=True)
        if not small:
            made, small = os.path.join(folder, "small"), os.path.join(folder, "small.zip")
            subprocess.run([BINARY, "make", made, "32", "2000"], check=True)
            with zipfile.ZipFile(small, "w", zipfile.ZIP_STORED) as z:
                for d, _, names in os.walk(made):
                    for n in names:
                        z.write(os.path.join(d, n), os.path.relpath(os.path.join(d, n), made))
        print(f"{'work, one thread':<58}{'hone':>9}{'peer':>9}{'ratio':>8}   images a second")
        for path, side in ((photos, 224), (small, 32)):
            ours, failed = lines([BINARY, "run", path, str(side), str(options.seconds)])
            if ours is None:
                sys.exit(failed)
            theirs, missing = lines([options.python, os.path.abspath(__file__), "--seconds", str(options.seconds), "--peer", path, str(side)])
            for work, rate in ours.items():
                other = (theirs or {}).get(work)
                print(f"{work:<58}{rate:>9}" + (f"{other:>9}{rate / other:>8.2f}" if other else f"{'-':>9}"))
            if theirs is None:
                print(f"  no peer: {missing}; it needs Pillow, torch and torchvision (--python)")


if __name__ == "__main__":
    main()
