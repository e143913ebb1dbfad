// SPDX-License-Identifier: Apache-2.0
#include "shared_library.h"

#include <gtest/gtest.h>

#include <elf.h>

#include <cstring>
#include <fstream>

#include "support.h"

namespace aiges {
namespace {

using testing::Contains;
using testing::Fixture;

std::string OpenFailure(const std::string& path) {
  const auto result = SharedLibrary::Open(path);
  EXPECT_FALSE(result.ok());
  if (result.ok()) return "";
  EXPECT_EQ(result.status().code, Code::kLoadFailed);
  EXPECT_EQ(result.status().text.find('\n'), std::string::npos) << "one line";
  return result.status().text;
}

TEST(SharedLibrary, NamesAMissingFileAndWhatToDo) {
  const std::string text = OpenFailure("/nowhere/libwrapper.so");
  EXPECT_TRUE(Contains(text, "/nowhere/libwrapper.so: No such file or directory"));
  EXPECT_TRUE(Contains(text, "build the engine or correct the path"));
}

TEST(SharedLibrary, RefusesWhatIsNoElfFile) {
  const std::string path = ::testing::TempDir() + "aiges_not_elf.so";
  std::ofstream(path) << "this is a text, and long enough to have had a header";
  EXPECT_TRUE(Contains(OpenFailure(path), "is not a shared library (no ELF header)"));
}

TEST(SharedLibrary, RefusesAnEmptyFile) {
  const std::string path = ::testing::TempDir() + "aiges_empty.so";
  std::ofstream{path};
  EXPECT_TRUE(Contains(OpenFailure(path), "is not a shared library"));
}

TEST(SharedLibrary, NamesBothMachinesWhenTheyDiffer) {
  std::ifstream from(Fixture("scripted"), std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(from)), {});
  const std::uint16_t arm = EM_ARM;
  std::memcpy(bytes.data() + 18, &arm, sizeof arm);
  const std::string path = ::testing::TempDir() + "aiges_other_machine.so";
  std::ofstream(path, std::ios::binary) << bytes;
  EXPECT_TRUE(Contains(OpenFailure(path), "is built for 32-bit ARM, this process is "));
}

TEST(SharedLibrary, NamesAnUnresolvedSymbolAtLoad) {
  const std::string text = OpenFailure(Fixture("unresolved"));
  EXPECT_TRUE(Contains(text, "undefined symbol: aiges_fixture_defined_nowhere"));
  EXPECT_TRUE(Contains(text, "link the engine with the library that defines it"));
}

TEST(SharedLibrary, FindsFunctionsByName) {
  const auto library = SharedLibrary::Open(Fixture("scripted"));
  ASSERT_TRUE(library.ok());
  EXPECT_NE(library.value().Symbol<int (*)()>("wrapperFini"), nullptr);
  EXPECT_EQ(library.value().Symbol<int (*)()>("wrapperNothing"), nullptr);
}

}  // namespace
}  // namespace aiges
