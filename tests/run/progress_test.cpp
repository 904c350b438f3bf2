#include "run/progress.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/format.h"

namespace hone {
namespace {

struct Seen {
  std::string text;
  double clock = 100;
  size_t columns = 100;
  ProgressStream stream(bool terminal) {
    ProgressStream s;
    s.write = [this](std::string_view t) { text += t; };
    if (terminal) s.width = [this] { return columns; };
    s.seconds = [this] { return clock; };
    return s;
  }
  std::string last_picture() const { return text.substr(text.rfind('\r') + 1); }
};

// Without escape sequences.
std::string bare(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b') i = text.find_first_of("mK", i);
    else out += text[i];
  }
  return out;
}

TEST(Progress, WorkThatEndsEarlySaysWhy) {
  Seen seen;
  {
    Progress p("search", 1560, "networks", 1, 0, seen.stream(false));
    seen.clock += 2;
    p.step(694);
    p.end("no child was new");
  }
  EXPECT_EQ(seen.text, "search: 694 networks in 2.0 s, no child was new, 347 networks/s\n");
}

TEST(Progress, PlainLinesEveryTenSecondsAndAtTheEnd) {
  Seen seen;
  {
    Progress p("train", 1000, "images", 32, 0, seen.stream(false));
    for (int64_t i = 1; i <= 500; ++i) {
      seen.clock += 0.0625;
      p.step(i, {{"loss", 1.0 / static_cast<double>(i)}});
    }
    EXPECT_EQ(seen.text,
              "train: 160/1000 (16 %), 512 images/s, loss 0.00625, 53 s left\n"
              "train: 320/1000 (32 %), 512 images/s, loss 0.003125, 43 s left\n"
              "train: 480/1000 (48 %), 512 images/s, loss 0.002083, 33 s left\n");
    p.say("epoch 1");
  }
  EXPECT_NE(seen.text.find("epoch 1\ntrain: stopped at 500/1000 in 31 s, 512 images/s, loss 0.002\n"), std::string::npos) << seen.text;
  EXPECT_EQ(seen.text.find('\r'), std::string::npos);
}

TEST(Progress, TheRateIsThatOfLateAndStepsOfAnEarlierProcessDoNotCount) {
  Seen seen;
  Progress p("train", 1000, "steps", 1, 600, seen.stream(true));
  for (int64_t i = 601; i <= 700; ++i) seen.clock += 1, p.step(i);  // 1 a second
  for (int64_t i = 701; i <= 900; ++i) seen.clock += 0.5, p.step(i);  // then 2
  EXPECT_NE(seen.last_picture().find(" 90 %  900/1000  2 steps/s  50 s left"), std::string::npos) << seen.last_picture();
}

TEST(Progress, NeverWiderThanTheTerminal) {
  for (bool utf8 : {true, false})
    for (size_t columns = 1; columns <= 180; ++columns) {
      Seen seen;
      seen.columns = columns;
      auto stream = seen.stream(true);
      stream.color = true;
      stream.utf8 = utf8;
      Progress p("distil a student with a long name", 100000, "triplets", 16, 0, stream);
      seen.clock += 7;
      p.step(4567, {{"loss", 0.123456}, {"triplet", 0.1}, {"distance", 1e-7}, {"accuracy", 0.55}});
      const std::string shown = bare(seen.last_picture());
      EXPECT_LE(display_width(shown), columns == 1 ? 1 : columns - 1) << columns << ": " << shown;
      if (columns >= 60) {
        EXPECT_NE(shown.find("left"), std::string::npos) << columns << ": " << shown;
      }
      if (columns >= 80) {
        EXPECT_NE(shown.find('['), std::string::npos) << columns << ": " << shown;
      }
      if (columns >= 165) {
        EXPECT_NE(shown.find("accuracy 0.55"), std::string::npos) << shown;
      }
    }
}

TEST(Progress, ALineAboveTheBarClearsItFirst) {
  Seen seen;
  {
    Progress p("t", 10, "x", 1, 0, seen.stream(true));
    p.say("best so far\x1b[31m");
    EXPECT_NE(seen.text.find("\r\x1b[Kbest so far [31m\n\r"), std::string::npos);
    p.step(10);
  }
  EXPECT_EQ(seen.text.back(), '\n');
  EXPECT_EQ(seen.text.find("\x1b[1m"), std::string::npos) << "no colour unless asked";
}

TEST(Progress, RedrawsAtMostTenTimesASecond) {
  Seen seen;
  Progress p("t", 100000, "x", 1, 0, seen.stream(true));
  for (int64_t i = 1; i <= 10000; ++i) seen.clock += 0.0001, p.step(i);
  EXPECT_LE(std::count(seen.text.begin(), seen.text.end(), '\r'), 12);
}

TEST(Progress, NothingIsPrintedWithoutAStream) {
  ProgressStream none;
  Progress p("t", 10, "x", 1, 0, none);
  p.step(3);
  p.say("quiet");
}

TEST(Duration, ForPeople) {
  EXPECT_EQ(format_duration(0.34), "0.3 s");
  EXPECT_EQ(format_duration(59.4), "59 s");
  EXPECT_EQ(format_duration(200), "3 min 20 s");
  EXPECT_EQ(format_duration(3599.7), "1 h 00 min");
  EXPECT_EQ(format_duration(7500), "2 h 05 min");
  EXPECT_EQ(format_duration(3 * 86400 + 4 * 3600), "3 d 4 h");
  EXPECT_EQ(format_duration(-1), "?");
}

// What a child prints on a real terminal.
std::string on_terminal(const char* no_color, unsigned short columns) {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0 || ::grantpt(master) != 0 || ::unlockpt(master) != 0) return "";
  const std::string name = ::ptsname(master);
  const winsize size{24, columns, 0, 0};
  const int slave = ::open(name.c_str(), O_RDWR | O_NOCTTY);
  ::ioctl(slave, TIOCSWINSZ, &size);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(slave, STDERR_FILENO);
    ::setenv("TERM", "xterm", 1);
    if (no_color) ::setenv("NO_COLOR", no_color, 1);
    else ::unsetenv("NO_COLOR");
    {
      Progress p("work", 4, "items");
      p.step(2);
      p.say("half");
      p.step(4);
    }
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  ::close(slave);   // with nobody at the other end, reading ends in an error once all that was written has been read
  std::string out;
  char part[1024];
  for (ssize_t n; (n = ::read(master, part, sizeof part)) > 0;) out.append(part, static_cast<size_t>(n));
  ::close(master);
  return out;
}

TEST(Progress, OnARealTerminal) {
  const std::string plain = on_terminal("1", 72), color = on_terminal(nullptr, 72);
  if (plain.empty()) GTEST_SKIP() << "no pseudo-terminal here";
  EXPECT_NE(plain.find("half\r\n"), std::string::npos) << plain;
  EXPECT_NE(plain.find("\r\x1b[Kwork: 4/4 in "), std::string::npos) << plain;
  EXPECT_EQ(plain.find("\x1b[1m"), std::string::npos) << "NO_COLOR";
  EXPECT_NE(color.find("\x1b[1mwork"), std::string::npos) << color;
}

}  // namespace
}  // namespace hone
