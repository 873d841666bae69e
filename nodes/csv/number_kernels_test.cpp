#include "nodes/csv/number_kernels.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "nodes/csv/csv_value.hpp"
#include "test/unit/catch.hpp"

using namespace kaspar;
using namespace kaspar::nodes::csv;

namespace {

/// Memory between two pages that nobody may touch.
class GuardedText {
 public:
  GuardedText()
      : page_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))),
        all_(static_cast<char*>(
            ::mmap(nullptr, 3 * page_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    REQUIRE(::mprotect(all_ + page_, page_, PROT_READ | PROT_WRITE) == 0);
  }
  GuardedText(const GuardedText&) = delete;
  GuardedText& operator=(const GuardedText&) = delete;
  ~GuardedText() { ::munmap(all_, 3 * page_); }

  std::string_view at_begin(std::string_view text) { return put(all_ + page_, text); }
  std::string_view at_end(std::string_view text) {
    return put(all_ + 2 * page_ - text.size(), text);
  }

 private:
  static std::string_view put(char* where, std::string_view text) {
    std::memcpy(where, text.data(), text.size());
    return {where, text.size()};
  }
  std::size_t page_;
  char* all_;
};

struct Fields {
  Fields(const NumberKernels& kernels, std::string_view text, std::size_t room)
      : ends(1 + room), tails(room) {
    split = kernels.split(text.data(), text.size(), ',',
                          {.ends = ends.data(), .tails = tails.data(), .room = room});
  }
  std::vector<std::uint32_t> ends;
  std::vector<std::uint64_t> tails;
  Split split{};
};

template <class With>
void for_each_table(With with) {
  with(plain_numbers);
  for (const auto set : {InstructionSet::Portable, InstructionSet::Avx2, InstructionSet::Avx512}) {
    const NumberKernels* const kernels = number_kernels_of(set);
    if (kernels == nullptr) continue;
    INFO("instruction set " << std::string(name_of(set)));
    with(*kernels);
  }
}

std::vector<std::string> fields_of(std::string_view record) {
  std::vector<std::string> fields(1);
  for (const char c : record) {
    if (c == ',') {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  return fields;
}

std::string random_field(std::mt19937_64& random) {
  char text[400];
  const auto print = [&text](const char* format, auto... arguments) {
    return std::string(
        text, static_cast<std::size_t>(std::snprintf(text, sizeof text, format, arguments...)));
  };
  const auto precision = static_cast<int>(random() % 7);
  std::normal_distribution<double> normal(0, std::pow(10.0, static_cast<double>(random() % 7)));
  switch (random() % 8) {
    case 0: {
      const std::string_view characters =
          random() % 2 == 0 ? "0123456789." : "0123456789.-+e \xAE\xB0\xFF/:\"\n";
      std::string made(random() % 11, ' ');
      for (char& c : made) c = characters[random() % characters.size()];
      return made;
    }
    case 1:
      return print("%lld", static_cast<long long>(random()) >> (random() % 64));
    case 2:
      return print("%d", static_cast<int>(16'777'214 + random() % 5));
    default:
      return print("%.*f", precision, normal(random));
  }
}

/// Whether kernels take it, by what their header says.
template <class T>
bool is_taken(std::string_view field) {
  if (field.size() > 8) return false;
  if (field.starts_with('-')) field.remove_prefix(1);
  std::uint64_t whole = 0;
  int points = 0;
  for (const char c : field) {
    points += c == '.';
    if (c != '.' && (c < '0' || c > '9')) return false;
    if (c != '.') whole = 10 * whole + static_cast<std::uint64_t>(c - '0');
  }
  if (points > 1 || field.size() == static_cast<std::size_t>(points)) return false;
  return sizeof(T) == sizeof(double) || whole <= std::uint64_t{1} << 24;
}

template <class T>
void check_numbers(const NumberKernels& kernels, const Fields& found,
                   const std::vector<std::string>& fields, std::size_t& taken) {
  for (std::size_t first = 0; first < fields.size(); first += 40) {
    const std::size_t count = std::min<std::size_t>(40, fields.size() - first);
    std::vector<T> values(count + 1, T{7});
    std::uint64_t refused = 0;
    if constexpr (sizeof(T) == sizeof(float)) {
      refused = kernels.read_f32(&found.ends[first], &found.tails[first], count, values.data());
    } else {
      refused = kernels.read_f64(&found.ends[first], &found.tails[first], count, values.data());
    }
    REQUIRE(values[count] == T{7});  // nothing is written behind them
    REQUIRE(refused >> count == 0);
    for (std::size_t i = 0; i < count; ++i) {
      INFO("`" << fields[first + i] << "`");
      REQUIRE((refused >> i & 1) == !is_taken<T>(fields[first + i]));
      if ((refused >> i & 1) != 0) continue;
      ++taken;
      T wanted = 0;
      REQUIRE(read_value(fields[first + i], wanted) == ValueError::None);
      REQUIRE(std::memcmp(&wanted, &values[i], sizeof wanted) == 0);
    }
  }
}

}  // namespace

TEST_CASE(
    "every instruction set splits and reads a record to the last bit, and nothing beside it") {
  GuardedText memory;
  for_each_table([&](const NumberKernels& kernels) {
    std::mt19937_64 random{20261129};
    std::size_t taken = 0;
    for (int i = 0; i < 3'000; ++i) {
      std::string record;
      for (std::size_t left = random() % 100; left != 0; --left) {
        record += random_field(random);
        if (left != 1) record += ',';
      }
      const std::vector<std::string> fields = fields_of(record);
      for (const bool at_end : {false, true}) {
        const std::string_view text = at_end ? memory.at_end(record) : memory.at_begin(record);
        const Fields found(kernels, text, fields.size() + spare_fields);
        INFO(record);
        REQUIRE(found.split.fields == fields.size());
        REQUIRE(found.split.plain == (record.find_first_of("\"\n") == std::string::npos));
        std::uint32_t end = 0;
        for (std::size_t f = 0; f < fields.size(); ++f) {
          end += static_cast<std::uint32_t>(fields[f].size());
          REQUIRE(found.ends[f + 1] == end++);
        }
        check_numbers<float>(kernels, found, fields, taken);
        check_numbers<double>(kernels, found, fields, taken);
      }
    }
    CHECK(taken > 300'000);
  });
}

TEST_CASE("fields that there is no room for are counted") {
  for_each_table([](const NumberKernels& kernels) {
    for (const std::size_t fields : {1U, 5U, 63U, 64U, 65U, 129U, 1'000U, 100'000U}) {
      const std::string record(fields - 1, ',');
      const Fields found(kernels, record, 3 + spare_fields);
      CHECK(found.split.fields == fields);
    }
  });
}
