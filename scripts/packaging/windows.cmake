# windows.cmake: a build for x86-64 Windows on Linux by mingw-w64, whose programs run under Wine. CMAKE_FIND_ROOT_PATH, an
# absolute path, is what windows_sysroot.sh makes:
#   scripts/packaging/windows_sysroot.sh build/windows_sysroot
#   cmake -B build/windows --toolchain scripts/packaging/windows.cmake -DCMAKE_FIND_ROOT_PATH=$PWD/build/windows_sysroot
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc-posix) # Debian: gcc-mingw-w64-x86-64-posix
find_program(WINE NAMES wine64 wine PATHS /usr/lib/wine) # Debian: wine64
if(WINE)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${WINE})
endif()

set(VGG16_WITH_SLEEF OFF CACHE BOOL "Not there for Windows")

# Programs come from this machine, everything else from that folder.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
if(CMAKE_FIND_ROOT_PATH) # not told to the compiler's checks, which share the environment
  set(ENV{PKG_CONFIG_LIBDIR} ${CMAKE_FIND_ROOT_PATH}/lib/pkgconfig)
endif()
