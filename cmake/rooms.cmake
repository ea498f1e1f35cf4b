# One library per room. A room without files yet is an empty interface library, so that whoever
# links with it need not know.

# libtern: the rooms that do no I/O, in one archive.
function(tern_libtern)
    set(globs ${ARGN})
    list(TRANSFORM globs REPLACE "(.+)" "${CMAKE_SOURCE_DIR}/src/\\1/*.c")
    file(GLOB sources CONFIGURE_DEPENDS ${globs})
    if(NOT sources)
        add_library(libtern INTERFACE)
        target_include_directories(libtern INTERFACE "${CMAKE_SOURCE_DIR}/include")
        return()
    endif()
    if(TERN_SHARED)
        set(kind SHARED)
        set(visibility default)
    else()
        set(kind STATIC)
        set(visibility hidden)
    endif()
    add_library(libtern ${kind} ${sources})
    set_target_properties(libtern PROPERTIES OUTPUT_NAME tern)
    target_include_directories(libtern PUBLIC "$<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include>")
    tern_flags(libtern)
    # Nothing from a C library but mem*: no stack protector and no checked variants of memcpy, which
    # some distributions' compilers add. Hidden, so that a shared library that contains libtern
    # does not export it. A section per function lets an embedder's linker drop what is not used.
    target_compile_options(libtern PRIVATE -fno-stack-protector -U_FORTIFY_SOURCE
                           -fvisibility=${visibility} -ffunction-sections -fdata-sections
                           ${TERN_FAST})
endfunction()

# tern_room(NAME LIBRARY...): src/NAME as tern_NAME, on top of the libraries given.
function(tern_room name)
    file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/${name}/*.c")
    if(NOT sources)
        add_library(tern_${name} INTERFACE)
        target_link_libraries(tern_${name} INTERFACE ${ARGN})
        return()
    endif()
    add_library(tern_${name} STATIC ${sources})
    target_link_libraries(tern_${name} PUBLIC ${ARGN})
    tern_flags(tern_${name})
    tern_hosted(tern_${name})
endfunction()
