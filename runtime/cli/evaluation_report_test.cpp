#include "runtime/cli/evaluation_report.hpp"

#include "test/unit/catch.hpp"

using namespace kaspar;
using namespace kaspar::cli;

namespace {

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("precision and recall are of each class, and a row that failed counts as missed") {
  const std::vector<std::string> truth{"a", "a", "a", "b", "b", "c"};
  std::vector<RowOutcome> outcomes(6);
  outcomes[0].value = "a";
  outcomes[1].value = "b";
  outcomes[2].error = DiagnosticCode::K0902;
  outcomes[3].value = "b";
  outcomes[4].value = "b";
  outcomes[5].value = "b";
  const EvaluationReport report("x", truth, outcomes);
  CHECK(report.accuracy() == Approx(0.5));
  REQUIRE(report.classes().size() == 3);
  CHECK(report.classes()[0].precision().value() == Approx(1.0));
  CHECK(report.classes()[0].recall().value() == Approx(1.0 / 3));
  CHECK(report.classes()[1].precision().value() == Approx(0.5));
  CHECK(report.classes()[1].recall().value() == Approx(1.0));
  CHECK(report.classes()[1].f1().value() == Approx(2.0 / 3));
  CHECK_FALSE(report.classes()[2].precision());
  CHECK(report.classes()[2].recall().value() == 0);
  const std::string text = report.text();
  CHECK(contains(text, "accuracy  50.00 % (3 of 6 right)\nfailed    1  K0902 × 1\n"));
  CHECK(contains(text, "class  precision     recall         f1       rows\n"));
  CHECK(contains(text, "a          1.000      0.333      0.500          3\n"));
  CHECK(contains(text, "c              –      0.000      0.000          1\n"));
  CHECK(contains(text, "no reliability: the label has no score"));
}

TEST_CASE("scores are compared with the share that is right") {
  std::vector<std::string> truth;
  std::vector<RowOutcome> outcomes;
  for (int i = 0; i < 10; ++i) {
    truth.emplace_back(i < 7 ? "a" : "b");
    outcomes.push_back({.value = "a", .score = 0.92});
  }
  truth.emplace_back("a");
  outcomes.push_back({.value = "a", .score = 1.0});
  truth.emplace_back("b");
  outcomes.push_back({.value = "b", .score = 0.0});
  const EvaluationReport report("x", truth, outcomes);
  REQUIRE(report.reliability());
  CHECK((*report.reliability())[9].rows == 11);
  CHECK((*report.reliability())[9].right == 8);
  CHECK((*report.reliability())[0].rows == 1);
  CHECK(report.calibration_error() == Approx((10.2 - 8 + 1) / 12));
  CHECK(contains(report.text(), "0.9 to 1.0          11      0.927      0.727\n"));
  CHECK(contains(report.json(), R"("reliability":{"expected_calibration_error":)"));
  CHECK(contains(report.html(), "<polyline"));
  outcomes[3].score = 7.5;
  const EvaluationReport logits("x", truth, outcomes);
  CHECK_FALSE(logits.reliability());
  CHECK(contains(logits.text(), "no shares of 1"));
}

TEST_CASE("labels cannot inject markup into the page, nor lines into the table") {
  const std::vector<std::string> truth{"<script>alert(1)</script>\n\x1b[2J"};
  std::vector<RowOutcome> outcomes(1);
  outcomes[0].value = "\"><img src=x>&";
  const EvaluationReport report("<b>", truth, outcomes);
  const std::string page = report.html();
  CHECK_FALSE(contains(page, "<script"));
  CHECK_FALSE(contains(page, "<img"));
  CHECK_FALSE(contains(page, "<b>"));
  CHECK(contains(page, "&quot;&gt;&lt;img src=x&gt;&amp;"));
  CHECK_FALSE(contains(page, "\x1b"));
  CHECK_FALSE(contains(report.json(), "\n"));
}

TEST_CASE("with very many classes there is no matrix") {
  std::vector<std::string> truth;
  std::vector<RowOutcome> outcomes;
  for (int i = 0; i < 5'000; ++i) {
    truth.push_back(std::to_string(i));
    outcomes.push_back({.value = "7"});
  }
  const EvaluationReport report("x", truth, outcomes);
  CHECK(report.classes().size() == EvaluationReport::most_classes);
  CHECK(contains(report.text(), "5000 classes: too many for a matrix; the 50 largest:"));
  CHECK(report.text().size() < 20'000);
  CHECK(report.html().size() < 100'000);
}
