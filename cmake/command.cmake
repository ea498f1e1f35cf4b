# The host room and the tern command: the only parts that need libraries.

find_package(Threads REQUIRED)
find_package(PkgConfig)
if(PKG_CONFIG_FOUND)
    pkg_check_modules(SECCOMP IMPORTED_TARGET libseccomp>=2.5.0)
    pkg_check_modules(JANSSON IMPORTED_TARGET jansson)
    pkg_check_modules(PCAP IMPORTED_TARGET libpcap)
endif()
if(NOT SECCOMP_FOUND OR NOT JANSSON_FOUND OR NOT PCAP_FOUND)
    message(FATAL_ERROR "The tern command needs pkg-config, libseccomp (2.5 or newer), jansson and "
            "libpcap. On Debian: sudo scripts/deps build. "
            "For libtern alone: cmake -DTERN_COMMAND=OFF")
endif()

tern_room(host tern_watch tern_posix tern_lab libtern Threads::Threads PkgConfig::SECCOMP
          PkgConfig::JANSSON PkgConfig::PCAP)

# All of src/cmd but main.c is a library, so that tests can link with it.
file(GLOB cmd_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/cmd/*.c")
list(REMOVE_ITEM cmd_sources "${CMAKE_SOURCE_DIR}/src/cmd/main.c")
add_library(tern_cmd STATIC ${cmd_sources})
target_link_libraries(tern_cmd PUBLIC tern_host tern_drill tern_sim)
target_compile_definitions(tern_cmd PRIVATE TERN_VERSION="${PROJECT_VERSION}")
tern_flags(tern_cmd)
tern_hosted(tern_cmd)

add_executable(tern "${CMAKE_SOURCE_DIR}/src/cmd/main.c")
set_target_properties(tern PROPERTIES TERN_WHOLE ON RUNTIME_OUTPUT_DIRECTORY "${TERN_BIN_DIR}")
target_link_libraries(tern PRIVATE tern_cmd)
target_link_options(tern PRIVATE -Wl,-z,relro,-z,now)
tern_flags(tern)
tern_hosted(tern)

# Man pages and completions come out of the command itself, from the tables it parses options with.
set(TERN_GENERATED "${CMAKE_BINARY_DIR}/generated")
add_custom_command(OUTPUT "${TERN_GENERATED}/stamp"
    COMMAND ${CMAKE_COMMAND} -E rm -rf "${TERN_GENERATED}"
    COMMAND ${CMAKE_COMMAND} -E make_directory "${TERN_GENERATED}/man"
    COMMAND tern help --man "${TERN_GENERATED}/man"
    COMMAND tern completion bash > "${TERN_GENERATED}/tern.bash"
    COMMAND tern completion zsh > "${TERN_GENERATED}/_tern"
    COMMAND tern completion fish > "${TERN_GENERATED}/tern.fish"
    COMMAND ${CMAKE_COMMAND} -E touch "${TERN_GENERATED}/stamp"
    DEPENDS tern
    COMMENT "Writing man pages and completions")
add_custom_target(generated ALL DEPENDS "${TERN_GENERATED}/stamp")
