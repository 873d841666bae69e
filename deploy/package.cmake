# What `cmake --install` puts where, and the packages that cpack makes of it: build/release/kaspar_VERSION_ARCH.deb, which
# names the libraries that it needs, and kaspar-VERSION-Linux-ARCH.tar.gz, which brings them along.

# The libraries of the tarball. By DT_RPATH, which holds for what these libraries need in turn too.
set(KASPAR_BUNDLED_LIBRARIES lib/kaspar)
set_target_properties(kaspar PROPERTIES INSTALL_RPATH "$ORIGIN/../${KASPAR_BUNDLED_LIBRARIES}")
target_link_options(kaspar PRIVATE -Wl,--disable-new-dtags)

# What is packed is built before, by name: not every test too.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)
install(TARGETS kaspar RUNTIME DESTINATION bin COMPONENT program)
install(FILES LICENSE README.md dsl/language.md DESTINATION share/doc/kaspar COMPONENT program)
if(EXISTS ${KASPAR_THIRD_PARTY}/librdkafka/LICENSES.txt)
  install(FILES ${KASPAR_THIRD_PARTY}/librdkafka/LICENSES.txt DESTINATION share/doc/kaspar RENAME librdkafka-licenses.txt
    COMPONENT program)
endif()
# Examples, with what they read and rows to feed them; not how their models were trained.
install(DIRECTORY pipelines/ DESTINATION share/kaspar/pipelines COMPONENT program PATTERN "*.py" EXCLUDE)

install(CODE "
  file(GET_RUNTIME_DEPENDENCIES EXECUTABLES $<TARGET_FILE:kaspar> RESOLVED_DEPENDENCIES_VAR libraries
    UNRESOLVED_DEPENDENCIES_VAR missing
    PRE_EXCLUDE_REGEXES \"^ld-linux\" \"^lib(c|m|dl|rt|pthread|resolv|util|anl)\\\\.so\")
  if(missing)
    message(FATAL_ERROR \"libraries are missing: \${missing}\")
  endif()
  file(INSTALL \${libraries} DESTINATION \$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${KASPAR_BUNDLED_LIBRARIES}
    FOLLOW_SYMLINK_CHAIN)
  # The licences of those libraries, where Debian has them.
  foreach(library IN LISTS libraries)
    file(REAL_PATH \${library} whole)
    execute_process(COMMAND dpkg-query -S \${whole} OUTPUT_VARIABLE owner ERROR_QUIET)
    string(REGEX REPLACE \":.*\" \"\" owner \"\${owner}\")
    if(owner AND EXISTS /usr/share/doc/\${owner}/copyright)
      file(INSTALL /usr/share/doc/\${owner}/copyright
        DESTINATION \$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/share/doc/kaspar/\${owner})
    endif()
  endforeach()
" COMPONENT libraries)

set(CPACK_GENERATOR DEB TGZ)
set(CPACK_PACKAGE_VENDOR "the kaspar project")
set(CPACK_PACKAGE_CONTACT "the kaspar project <kaspar@localhost>")
set(CPACK_RESOURCE_FILE_LICENSE ${CMAKE_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_THREADS 0)
set(CPACK_PACKAGE_FILE_NAME kaspar-${PROJECT_VERSION}-${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_ARCHIVE_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SECTION misc)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS ca-certificates)
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_SOURCE_DIR}/deploy/package-components.cmake)
include(CPack)
