#include "train/progress.h"

#include <gtest/gtest.h>

#include <sstream>

namespace py4cast {
namespace {

TEST(Progress, Line) {
  EXPECT_EQ(progress_line("epoch 3", 0, 100, 0, {}), "epoch 3 [>                   ] 0/100");
  EXPECT_EQ(progress_line("epoch 3", 25, 100, 10, 0.123456),
            "epoch 3 [=====>              ] 25/100  2.5/s  30 s left  loss 0.1235");
  EXPECT_EQ(progress_line("test", 1, 1000, 1, {}),
            "test [>                   ] 1/1000  1/s  16:39 left");
  EXPECT_EQ(progress_line("test", 2, 20000, 1, {}),
            "test [>                   ] 2/20000  2/s  2:46:39 left");
  EXPECT_EQ(progress_line("test", 8, 8, 125, 1e-9),
            "test [====================] 8/8  0.064/s  2:05  loss 1e-09");
  // 10 of the 25 in 4 s, which take 1 s at the ceilings.
  EXPECT_EQ(
      progress_line("epoch 3", 25, 100, 4, 0.5, 1, 15),
      "epoch 3 [=====>              ] 25/100  2.5/s (25 % of the ceiling)  30 s left  loss 0.5");
}

TEST(Progress, IsShorterThanTheTerminalIsWide) {
  const auto line = [](int64_t columns) {
    return progress_line("epoch 3", 25, 100, 10, 0.123456, {}, 0, columns);
  };
  EXPECT_EQ(line(80), line(1000));
  EXPECT_EQ(line(60), "epoch 3 [==>        ] 25/100  2.5/s  30 s left  loss 0.1235");
  EXPECT_EQ(line(40), "epoch 3 [>] 25/100  2.5/s  30 s left  l");
  for (int64_t columns = 1; columns < 100; ++columns)
    EXPECT_LE(std::ssize(line(columns)), std::max<int64_t>(columns - 1, 1));
}

TEST(Progress, IsDrawnTenTimesASecondAndAtTheEnd) {
  std::ostringstream lines, status;
  Logger log(&lines, &status);
  double now = 0;
  {
    Progress progress(log, "t", 100, 0, [&] { return now; });
    for (int64_t done = 1; done <= 100; ++done) {
      now += 0.01;
      progress.update(done);
    }
  }
  size_t drawn = 0;
  const std::string text = status.str();
  for (size_t at = text.find("t ["); at != std::string::npos; at = text.find("t [", at + 1))
    ++drawn;
  EXPECT_GE(drawn, 10u);
  EXPECT_LE(drawn, 12u);
  EXPECT_NE(text.find("100/100  100/s  1 s"), std::string::npos);
  EXPECT_TRUE(text.ends_with("\r\033[K"));
  EXPECT_EQ(lines.str(), "");
}

TEST(Progress, LinesOfTheLogStandAbove) {
  std::ostringstream terminal;
  Logger log(&terminal, &terminal);
  log.status("half");
  log.warning("it ", 2, " rains");
  log.status("");
  EXPECT_EQ(terminal.str(), "\r\033[Khalf\r\033[Kwarning: it 2 rains\nhalf\r\033[K");
}

TEST(Progress, QuietWithoutAStatusLine) {
  std::ostringstream lines;
  Logger log(&lines);
  Progress(log, "t", 2).update(2);
  log.info("line");
  EXPECT_EQ(lines.str(), "line\n");
  EXPECT_TRUE(shows_progress("on"));
  EXPECT_FALSE(shows_progress("off"));
}

}  // namespace
}  // namespace py4cast
