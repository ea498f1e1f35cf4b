# The front door. Everything is done by CMake (CMakePresets.json) and by scripts/; each target first
# sees to the packages it needs.
#
#   make                 build/tern
#   make run             three short acts: what tern shows
#   make test [T=part]   all tests, or those whose name contains `part`
#   make docs            the documents that are made of tables and tests
#   make soak [MINUTES=10]   worlds and fuzzers nobody has seen: build/soak/report
#   make bench           speed and size beside other stacks
#   make paths           docs/PATHS.md: the sender over paths of many kinds, in virtual time
#   make paths-linux     docs/PATHS-LINUX.md: the same beside Linux's, in real time
#   make coverage        lines and branches of libtern that its tests reach
#   make mutants         hundreds of mistakes in libtern, one at a time: which test notices each
#   make mutants-labels  one for each requirement: its own tests must notice
#   make cross           unit tests of libtern on arm64 and on big-endian s390x, by qemu-user
#   make check           clang-tidy, cppcheck, gcc -fanalyzer, shellcheck, format
#   make format          clang-format over the tree
#   make programs        programs that people use, tried under tern run: docs/PROGRAMS.md
#   make amalgam         libtern as two files, in build/amalgam/tern
#   make install         PREFIX=/usr/local, DESTDIR=
#   make uninstall       what make install put there
#   make clean

PREFIX ?= /usr/local
DESTDIR ?=
T ?=
JOBS ?= $(shell nproc)
MINUTES ?= 10

# ninja where it is installed, for new build folders.
export CMAKE_GENERATOR ?= $(if $(shell command -v ninja),Ninja,Unix Makefiles)

.PHONY: all run test soak docs coverage mutants mutants-labels bench paths check cross format \
        programs amalgam install uninstall clean build-deps

all: build/release/.configured
	@cmake --build build/release --parallel $(JOBS)

# Configured again after packages came or went: a library may be there now.
build/%/.configured: CMakePresets.json $(wildcard /var/lib/dpkg/status) | build-deps
	@cmake --preset $*
	@touch $@

build-deps:
	@scripts/deps build

run: all
	@scripts/demo.sh

test:
	@scripts/deps test
	@tests/run '$(T)'

docs: all
	@scripts/docs

coverage:
	@scripts/deps test
	@scripts/coverage

mutants:
	@scripts/deps test
	@tests/mutants/run --again

mutants-labels:
	@scripts/deps test
	@tests/mutants/run --labels --again

soak: all
	@scripts/deps test
	@tests/soak '$(MINUTES)'

bench: all
	@scripts/deps bench
	@bench/run
	@echo
	@bench/links

paths: build/release/.configured
	@cmake --build build/release --parallel $(JOBS) --target bench_paths
	@build/release/bench/paths > build/PATHS.md && mv build/PATHS.md docs/PATHS.md

paths-linux: build/release/.configured
	@bench/paths-linux --doc

cross:
	@scripts/deps cross
	@nice tests/cross/run

check:
	@scripts/deps test
	@scripts/check

format:
	@scripts/deps test
	@scripts/format

programs: all
	@scripts/deps test
	@tests/programs/run --doc

amalgam:
	@scripts/amalgam

install: all
	@DESTDIR='$(DESTDIR)' cmake --install build/release --prefix '$(PREFIX)'

uninstall: all
	@scripts/uninstall '$(DESTDIR)' '$(PREFIX)'

clean:
	rm -rf build
