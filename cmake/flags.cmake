# What every file is compiled with. Called by the functions of rooms.cmake and tests.cmake.

set(TERN_WARNINGS -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes
    -Wmissing-prototypes -Wvla)
if(CMAKE_C_COMPILER_ID MATCHES Clang)
    # Part of clang's -Wconversion, against TERN_ASSERT(!"why").
    list(APPEND TERN_WARNINGS -Wno-string-conversion)
endif()
if(TERN_WERROR)
    list(APPEND TERN_WARNINGS -Werror)
endif()
if(TERN_ANALYZE)
    # gcc 12 takes a shift of a vector's elements for a shift of the vector.
    list(APPEND TERN_WARNINGS -fanalyzer -Wno-analyzer-shift-count-overflow)
endif()

set(TERN_INSTRUMENT "")
if(TERN_SANITIZE)
    list(APPEND TERN_INSTRUMENT -fsanitize=${TERN_SANITIZE} -fno-sanitize-recover=all
         -fno-omit-frame-pointer)
endif()
if(TERN_FUZZ)
    list(APPEND TERN_INSTRUMENT -fsanitize=fuzzer-no-link)
endif()

# Release keeps line tables: a crash report or a profile without them is useless.
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")

# libtern is compiled for speed, and so that a program with the property TERN_WHOLE is optimised as
# one: its objects hold machine code, for any linker, and beside it what gcc needs to optimise when
# it links. Other compilers and other versions of gcc cannot read the latter: it is not installed.
set(TERN_FAST "")
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND CMAKE_C_COMPILER_ID STREQUAL "GNU" AND NOT TERN_ANALYZE)
    set(TERN_FAST -O3 -flto=auto -ffat-lto-objects)
    # (gcc would do so unasked, for every test)
    add_link_options($<IF:$<BOOL:$<TARGET_PROPERTY:TERN_WHOLE>>,-O3$<SEMICOLON>-flto=auto,-fno-lto>)
endif()

function(tern_flags target)
    target_compile_options(${target} PRIVATE ${TERN_WARNINGS} ${TERN_INSTRUMENT})
    target_link_options(${target} PRIVATE ${TERN_INSTRUMENT})
    target_include_directories(${target} PRIVATE "${CMAKE_SOURCE_DIR}/src")
endfunction()

# For code above libtern, which may use all of POSIX and Linux and meets foreign bytes.
function(tern_hosted target)
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
    if(CMAKE_BUILD_TYPE STREQUAL "Release")
        target_compile_options(${target} PRIVATE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
                               -fstack-protector-strong)
    endif()
endfunction()
