// What is measured beside one another: by turns, so that a busy machine hits all alike.
#pragma once

#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

namespace kaspar::bench {

inline constexpr int rounds = 11;
inline constexpr double round_seconds = 0.02;

/// Of this thread.
inline double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// One thing to be measured: `work` does all rows.
struct Contender {
  std::string name;
  std::size_t batch;
  std::function<void()> work;
  std::size_t repeats = 1;
  std::vector<double> nanoseconds = {};  // a row, of each round
};

inline void measure(std::vector<Contender>& contenders, std::size_t rows) {
  for (Contender& contender : contenders) {
    contender.work();
    const double begun = cpu_seconds();
    contender.work();
    contender.repeats =
        std::max<std::size_t>(1, static_cast<std::size_t>(round_seconds / (cpu_seconds() - begun)));
  }
  for (int round = 0; round < rounds; ++round) {
    for (Contender& contender : contenders) {
      const double begun = cpu_seconds();
      for (std::size_t i = 0; i < contender.repeats; ++i) contender.work();
      contender.nanoseconds.push_back((cpu_seconds() - begun) /
                                      static_cast<double>(contender.repeats * rows) * 1e9);
    }
  }
}

/// The largest difference; ends the process if there are not as many.
inline double difference(const std::vector<float>& left, const std::vector<float>& right) {
  if (left.size() != right.size()) {
    std::fprintf(stderr, "%zu numbers beside %zu\n", left.size(), right.size());
    std::exit(3);
  }
  double most = 0;
  for (std::size_t i = 0; i < left.size(); ++i) {
    const double apart = std::abs(double{left[i]} - double{right[i]});
    if (!(apart <= most)) most = apart;  // NaN stays
  }
  return most;
}

}  // namespace kaspar::bench
