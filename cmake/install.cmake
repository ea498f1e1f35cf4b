# make install: what an embedder and a person at a shell need.

get_target_property(libtern_type libtern TYPE)
if(libtern_type STREQUAL "STATIC_LIBRARY")
    install(TARGETS libtern EXPORT tern ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
            INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
    if(TERN_FAST)
        install(CODE "execute_process(COMMAND ${CMAKE_OBJCOPY} -R .gnu.lto_* -R .gnu.debuglto_*
                      \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/libtern.a\"
                      COMMAND_ERROR_IS_FATAL ANY)")
    endif()
endif()
# The sockets API, a library of its own in front of libtern: tern/socket.h.
if(TARGET tern_posix)
    install(FILES "$<TARGET_FILE:tern_posix>" DESTINATION "${CMAKE_INSTALL_LIBDIR}")
endif()
install(DIRECTORY "${CMAKE_SOURCE_DIR}/include/tern" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
# From the folder of tern.pc back to the prefix, so that the tree can be moved after installing.
file(RELATIVE_PATH TERN_PC_UP "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
configure_file("${CMAKE_SOURCE_DIR}/cmake/tern.pc.in" "${CMAKE_BINARY_DIR}/tern.pc" @ONLY)
install(FILES "${CMAKE_BINARY_DIR}/tern.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
# find_package(tern) gives tern::libtern.
include(CMakePackageConfigHelpers)
set(TERN_PACKAGE "${CMAKE_INSTALL_LIBDIR}/cmake/tern")
install(EXPORT tern FILE tern-config.cmake NAMESPACE tern:: DESTINATION "${TERN_PACKAGE}")
write_basic_package_version_file("${CMAKE_BINARY_DIR}/tern-config-version.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_BINARY_DIR}/tern-config-version.cmake" DESTINATION "${TERN_PACKAGE}")

if(TERN_COMMAND)
    install(TARGETS tern RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
    install(DIRECTORY "${TERN_GENERATED}/man/" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")
    install(FILES "${TERN_GENERATED}/tern.bash" RENAME tern
            DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions")
    install(FILES "${TERN_GENERATED}/_tern"
            DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/site-functions")
    install(FILES "${TERN_GENERATED}/tern.fish"
            DESTINATION "${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d")
endif()
