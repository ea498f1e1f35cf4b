# Targets for what is under tests/ and examples/. Nothing here is part of `all`: tests/run builds
# what it is about to run.
#
#   tests/unit/test_X.c        with libtern            -> unit_test_X    TESTS/unit/test_X
#   tests/unit/ROOM/test_X.c   with that room's        -> unit_ROOM_test_X
#   tests/unit/[ROOM/]*.c      any other name: linked with every test in the same folder
#   tests/fuzz/fuzz_X.c        with libtern and rooms  -> fuzz_X         TESTS/fuzz/fuzz_X
#   examples/X.c               with libtern and posix  -> example_X      TESTS/examples/X

include(CheckLibraryExists)

set(TESTS "${CMAKE_BINARY_DIR}/tests")
set(TESTS_SOURCE "${CMAKE_SOURCE_DIR}/tests")
add_custom_target(unit)
add_custom_target(fuzz)
add_custom_target(examples)

# Folders of unit tests that also use the fixtures of another one.
set(TESTS_FIXTURE_stack tcp)
set(TESTS_FIXTURE_posix lab)
set(TESTS_FIXTURE_exhaustive lab)
# And those that are named after no room, with what they use.
set(TESTS_LIBRARY_exhaustive tern_sim)

find_path(CMOCKA_INCLUDE cmocka.h)
find_library(CMOCKA_LIBRARY cmocka)

# What a test in tests/unit/ROOM may use: the room itself, or libtern for one of libtern's rooms.
function(tern_room_library room result)
    if(DEFINED TESTS_LIBRARY_${room})
        set(${result} ${TESTS_LIBRARY_${room}} PARENT_SCOPE)
    elseif(TARGET tern_${room})
        set(${result} tern_${room} PARENT_SCOPE)
    else()
        set(${result} libtern PARENT_SCOPE)
    endif()
endfunction()

# The files of a folder that are no tests themselves, as a library; `result` is "" without any.
function(tern_test_support folder prefix library result)
    file(GLOB sources CONFIGURE_DEPENDS "${folder}/*.c")
    list(FILTER sources EXCLUDE REGEX "/test_[^/]*$")
    set(${result} "" PARENT_SCOPE)
    if(sources)
        set(target support_${prefix}unit)
        add_library(${target} STATIC EXCLUDE_FROM_ALL ${sources})
        target_link_libraries(${target} PUBLIC ${library})
        target_include_directories(${target} PUBLIC "${folder}" "${CMOCKA_INCLUDE}")
        tern_flags(${target})
        tern_hosted(${target})
        set(${result} ${target} PARENT_SCOPE)
    endif()
endfunction()

# tern_unit_tests(FOLDER ROOM LIBRARY): every test in one folder; ROOM is "" at the top.
function(tern_unit_tests folder room library)
    set(prefix "")
    if(room)
        set(prefix "${room}_")
    endif()
    tern_test_support("${folder}" "${prefix}" ${library} support)
    if(DEFINED TESTS_FIXTURE_${room})
        list(APPEND support "support_${TESTS_FIXTURE_${room}}_unit")
    endif()
    file(GLOB tests CONFIGURE_DEPENDS "${folder}/test_*.c")
    foreach(source IN LISTS tests)
        cmake_path(GET source STEM name)
        set(target unit_${prefix}${name})
        add_executable(${target} EXCLUDE_FROM_ALL "${source}")
        set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name}
                              RUNTIME_OUTPUT_DIRECTORY "${TESTS}/unit/${room}")
        target_include_directories(${target} PRIVATE "${TESTS_SOURCE}/unit" "${CMOCKA_INCLUDE}")
        target_link_libraries(${target} PRIVATE ${support} ${library} ${CMOCKA_LIBRARY} m)
        tern_flags(${target})
        tern_hosted(${target})
        add_dependencies(unit ${target})
    endforeach()
endfunction()

# lwIP as a peer in memory, if it is there and made for this processor and this libc; without it the
# test says so. In a libtern that hides nothing the two would take each other's functions.
function(tern_lwip target)
    find_path(LWIP_INCLUDE lwip/tcp.h PATH_SUFFIXES lwip)
    find_library(LWIP_LIBRARY lwip)
    if(LWIP_INCLUDE AND LWIP_LIBRARY AND NOT TERN_SHARED)
        check_library_exists("${LWIP_LIBRARY}" lwip_init "" LWIP_FITS)
        if(LWIP_FITS)
            target_include_directories(${target} SYSTEM PRIVATE "${LWIP_INCLUDE}")
            target_compile_definitions(${target} PRIVATE HAVE_LWIP)
            target_link_libraries(${target} PRIVATE "${LWIP_LIBRARY}")
        endif()
    endif()
endfunction()

if(CMOCKA_INCLUDE AND CMOCKA_LIBRARY)
    tern_unit_tests("${TESTS_SOURCE}/unit" "" libtern)
    file(GLOB folders CONFIGURE_DEPENDS LIST_DIRECTORIES true "${TESTS_SOURCE}/unit/*")
    foreach(folder IN LISTS folders)
        if(IS_DIRECTORY "${folder}")
            cmake_path(GET folder FILENAME room)
            tern_room_library(${room} library)
            tern_unit_tests("${folder}" ${room} ${library})
        endif()
    endforeach()
    tern_lwip(unit_sim_test_lwip)
else()
    message(STATUS "cmocka is missing, so unit tests are left out (sudo scripts/deps test)")
endif()

# Under libFuzzer a fuzz target searches; in any other build the same function is fed its corpus by
# replay.c, which needs nothing.
file(GLOB fuzzers CONFIGURE_DEPENDS "${TESTS_SOURCE}/fuzz/fuzz_*.c")
foreach(source IN LISTS fuzzers)
    cmake_path(GET source STEM name)
    add_executable(${name} EXCLUDE_FROM_ALL "${source}")
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${TESTS}/fuzz")
    target_link_libraries(${name} PRIVATE $<TARGET_NAME_IF_EXISTS:tern_cmd>
                          $<TARGET_NAME_IF_EXISTS:tern_host> tern_drill tern_sim tern_watch tern_lab
                          libtern)
    tern_flags(${name})
    tern_hosted(${name})
    if(TERN_FUZZ)
        target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    else()
        target_sources(${name} PRIVATE "${TESTS_SOURCE}/fuzz/replay.c")
    endif()
    add_dependencies(fuzz ${name})
endforeach()

file(GLOB examples CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/examples/*.c")
foreach(source IN LISTS examples)
    cmake_path(GET source STEM name)
    add_executable(example_${name} EXCLUDE_FROM_ALL "${source}")
    set_target_properties(example_${name} PROPERTIES OUTPUT_NAME ${name}
                          RUNTIME_OUTPUT_DIRECTORY "${TESTS}/examples")
    target_link_libraries(example_${name} PRIVATE tern_posix libtern)
    tern_flags(example_${name})
    tern_hosted(example_${name})
    add_dependencies(examples example_${name})
endforeach()
