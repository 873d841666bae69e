#include "runtime/cli/confusion_matrix.hpp"

#include "test/unit/catch.hpp"

namespace kaspar::cli {

TEST_CASE("accuracy is the share of rows that were taken for what they are") {
  ConfusionMatrix matrix;
  CHECK(matrix.accuracy() == 0.0);
  matrix.count("a", "a");
  matrix.count("a", "b");
  matrix.count("b", "b");
  matrix.count("b", "b");
  CHECK(matrix.rows() == 4);
  CHECK(matrix.right() == 3);
  CHECK(matrix.accuracy() == 0.75);
}

TEST_CASE("the table has a row a true label and a column a predicted one") {
  ConfusionMatrix matrix;
  matrix.count("up", "down");
  matrix.count("up", "up");
  matrix.count("up", "up");
  CHECK(matrix.text() ==
        "true \\ predicted    down      up\n"
        "down                   0       0\n"
        "up                     1       2\n");
}

}  // namespace kaspar::cli
