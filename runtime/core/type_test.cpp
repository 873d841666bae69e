#include "runtime/core/type.hpp"

#include "runtime/core/diagnostic_code.hpp"
#include "test/unit/catch.hpp"

using namespace kaspar;

TEST_CASE("types are spelled as in the language") {
  CHECK(to_string(Type{.scalar = ScalarType::F32, .width = 60}) == "f32[60]");
  CHECK(to_string(Type{.scalar = ScalarType::I64, .optional = true}) == "i64?");
  CHECK(scalar_type_named("timestamp") == ScalarType::Timestamp);
  CHECK_FALSE(scalar_type_named("f16").has_value());
  for (auto scalar :
       {ScalarType::Bool, ScalarType::I64, ScalarType::F32, ScalarType::F64, ScalarType::String,
        ScalarType::Bytes, ScalarType::Timestamp, ScalarType::Duration}) {
    CHECK(scalar_type_named(to_string(scalar)) == scalar);
  }
}

TEST_CASE("codes have their own name and a title") {
  CHECK(name_of(DiagnosticCode::K0101) == "K0101");
  CHECK(name_of(DiagnosticCode::K0908) == "K0908");
  CHECK(title_of(DiagnosticCode::K0904) == "non-finite value");
}
