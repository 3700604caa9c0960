#!/usr/bin/env bash
# test.sh [PART]...: installs what the tests need and runs them; without a PART all of them, in this order:
#   format   clang-format, shellcheck and mypy find nothing to change
#   release  gcc, optimised, warnings are errors: every test; drivers with matrix cores are fetched for it
#   install  cmake --install into an empty prefix; what the README says of library use works against it
#   clang    the same as release by clang, but for what runs on Vulkan
#   asan     under AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer: every test, but of scripts and Python
#   tsan     the loader, ranks as threads, and a training, an evaluation and an extraction, under ThreadSanitizer
#   neon     aarch64: every kernel and operation and the commands, built for it and run under qemu; the tiles' machine code
#            inspected
#   avx512   the AVX-512 kernels, their intrinsics emulated by SIMDe on AVX2: every test of kernels and operations
#   validation what runs on Vulkan, once more by the release build, with the validation layer and its synchronisation
#            checks over it: no message
#   baseline the program under qemu as a processor without AVX: no instruction of a higher level leaks out
#   wine     Windows: the program built for it, its seam, operations on CPU and lavapipe, training, Ctrl-C, archives and
#            paths under Wine; its machine code
# Not among them, since they take long or judge the tests instead of the program:
#   coverage which lines and branches of core/ the tests run, by room (gcov); below the goals is a failure
#   mutation changes of the sources that the last commits changed (VGG16_MUTATE=RANGE of git, default HEAD~1) are noticed
#            by tests, 9 of 10 at least; 15 minutes at most
# Builds go to build/PART. VGG16_TEST_DATA=FOLDER: photos and weights that are not in the repository; tests that need
# them skip by name without it. Exit code 0: nothing failed.
set -euo pipefail
cd "$(dirname "$0")/.."

parts=("$@")
[ $# -gt 0 ] || parts=(format release install clang asan tsan neon avx512 validation baseline wine)
for part in "${parts[@]}"; do
    case $part in
    format | release | install | clang | asan | tsan | neon | avx512 | validation | baseline | wine | coverage | mutation) ;;
    *)
        echo "test.sh: no part '$part'; see the head of scripts/test.sh" >&2
        exit 2
        ;;
    esac
done
[ -z "${VGG16_TEST_DATA:-}" ] || VGG16_TEST_DATA=$(realpath "$VGG16_TEST_DATA")
export VGG16_TEST_DATA="${VGG16_TEST_DATA:-}"
[ -n "$VGG16_TEST_DATA" ] || unset VGG16_TEST_DATA

passed=0 failed=0 skipped=0 summary=()
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# count PART PASSED FAILED SKIPPED: adds to the totals and to the summary.
count() {
    passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
    summary+=("$(printf '%-10s %4d passed %4d failed %4d skipped %5d s' "$1" "$2" "$3" "$4" $((SECONDS - started)))")
}

# check PART TEXT COMMAND...: one counted check; the command's output is shown when it fails.
check() {
    local part=$1 text=$2
    shift 2
    if "$@" >"$work/out" 2>&1; then
        echo "[PASS] $text"
        part_passed=$((part_passed + 1))
    else
        cat "$work/out"
        echo "[FAIL] $part: $text"
        part_failed=$((part_failed + 1))
    fi
}

# build PART [CMAKE OPTION]...: configures and builds build/PART; a failure is counted and ends the part.
build() {
    local part=$1 log=$work/build.log
    shift
    if cmake -S . -B "build/$part" -G Ninja -DCMAKE_BUILD_TYPE=Release -DVGG16_WERROR=ON "$@" >"$log" 2>&1 &&
        ninja -C "build/$part" "${targets[@]}" >"$log" 2>&1; then
        return 0
    fi
    tail -n 60 "$log"
    echo "[FAIL] $part: build"
    count "$part" 0 1 0
    return 1
}

# tally LOG: tests passed, failed and skipped in ctest's log: those that Criterion and Python's unittest count, and one for
# each program that counts none; a program that failed counts at least one.
tally() {
    awk '
        function end_program() {
            if (!begun) return
            if (!ok && !f) f = 1
            if (ok && !p && !f && !s) p = 1
            passed += p; failed += f; skipped += s
        }
        function number(key) { return match($0, key "=[0-9]+") ? substr($0, RSTART + length(key) + 1, RLENGTH) + 0 : 0 }
        /^[0-9]+\/[0-9]+ Testing: / { end_program(); begun = 1; ok = p = f = s = 0 }
        { p += gsub(/\[PASS\] /, "&"); f += gsub(/\[FAIL\] /, "&"); s += gsub(/\[SKIP\] /, "&") }
        /^Ran [0-9]+ tests? in / { p += $2 }
        /^(OK|FAILED) \(/ {
            bad = number("failures") + number("errors"); p -= bad + number("skipped")
            f += bad; s += number("skipped")
        }
        /^Test Passed\.$/ { ok = 1 }
        END { end_program(); print passed + 0, failed + 0, skipped + 0 }' "$1"
}

# run_tests PART [CTEST OPTION]...: runs the tests of build/PART, or of $folder, and counts them.
run_tests() {
    local part=$1 built=${folder:-build/$1} log=$work/ctest.log status=0 pass fail skip reports
    shift
    rm -f "$built"/report.*
    CRITERION_VERBOSITY_LEVEL=1 ctest --test-dir "$built" --timeout 600 \
        --output-on-failure -O "$log" "$@" >"$work/shown" 2>&1 </dev/null || status=$?
    # What the programs said stands in ctest's log, also of those that passed.
    local full=$built/Testing/Temporary/LastTest.log
    grep -vE '^\[(RUN |PASS|SKIP)|^(\[----\] )?$' "$work/shown" || true
    grep -oE "\[SKIP\] .*|skipped '.*" "$full" || true
    read -r pass fail skip < <(tally "$full")
    mapfile -t reports < <(grep -lE 'ERROR: |runtime error: |WARNING: ThreadSanitizer' "$built"/report.* 2>/dev/null)
    if [ ${#reports[@]} -gt 0 ]; then # a sanitizer spoke; Criterion does not see what a child says as it ends
        head -n 60 "${reports[@]}"
        fail=$((fail + ${#reports[@]}))
    fi
    if [ $status -ne 0 ] && [ "$fail" = 0 ]; then fail=1; fi
    if [ $((pass + fail)) = 0 ]; then
        echo "[FAIL] $part: no test ran"
        fail=1
    fi
    count "$part" "$pass" "$fail" "$skip"
}

run_format() {
    local part_passed=0 part_failed=0 files
    mapfile -t files < <(git ls-files -co --exclude-standard '*.c' '*.h')
    check format "clang-format" clang-format --dry-run -Werror "${files[@]}"
    mapfile -t files < <(git ls-files -co --exclude-standard '*.sh' .ci)
    check format "shellcheck" shellcheck "${files[@]}"
    check format "the types of the module for Python" mypy --strict --cache-dir="$work/mypy" scripts/packaging/python/vgg16.py
    count format $part_passed $part_failed 0
}

# Newer drivers, which know matrix cores; without them, their tests say by name what is missing.
fetch_drivers() {
    local suite variable
    for variable in VGG16_NEWER_MESA VGG16_NEWER_RADV; do
        suite=trixie-backports
        [ $variable = VGG16_NEWER_MESA ] || suite=bookworm-backports
        [ -z "${!variable:-}" ] || continue
        if scripts/newer_mesa.sh "build/drivers/$suite" "$suite"; then
            export "$variable=$PWD/build/drivers/$suite"
        fi
    done
}

run_release() {
    fetch_drivers
    build release && run_tests release
}

# Shaders and their drivers are the same whatever compiler built what calls them; MPI says nothing of compilers and
# memory that test_ranks does not, whose ranks are threads. The release build runs these.
run_clang() {
    build clang -DCMAKE_C_COMPILER=clang && run_tests clang -E '^test_((cli_)?vk_|cli_ranks$)'
}

run_asan() {
    build asan -DVGG16_SANITIZE=address,undefined || return 0
    local frames
    local -x UBSAN_OPTIONS LSAN_OPTIONS ASAN_OPTIONS VGG16_FAULTS_SHARE=1
    . scripts/sanitizers.sh
    UBSAN_OPTIONS+=:log_path=$PWD/build/asan/report ASAN_OPTIONS+=:log_path=$PWD/build/asan/report
    # Vulkan's drivers keep memory when they are unloaded, with no name left to suppress it by: leaks are looked for
    # where there is none. The machine's check is a script that counts seconds, and Python is not made for sanitizers.
    VK_ICD_FILENAMES=/dev/null run_tests asan -j2 -E '^test_((cli_)?vk_|(cli_ranks|cli_machine|python)$)'
    [ -x build/asan/tests/test_vk_ops ] || return 0
    started=$SECONDS
    ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 run_tests asan -R '^test_(cli_)?vk_' -E '^test_cli_vk_photos$'
}

# By clang: its OpenMP runtime tells the sanitizer, by way of Archer, which threads wait for which.
run_tsan() {
    local targets=(loader_threads rank_steps soak) archer
    archer=$(compgen -G "/usr/lib/llvm-*/lib/libarcher.so" | sort -V | tail -n 1) || true
    build tsan -DVGG16_SANITIZE=thread -DCMAKE_C_COMPILER=clang || return 0
    OMP_TOOL_LIBRARIES=$archer OMP_TOOL_VERBOSE_INIT=stderr \
        TSAN_OPTIONS=ignore_noninstrumented_modules=1:log_path=$PWD/build/tsan/report run_tests tsan -R '^(loader_threads|rank_steps|soak)$'
}

# Kernels, operations and the backend; then the commands, from photos to a classifier and what it sees.
run_neon() {
    local targets=(vgg16 test_cpu_kernels test_cpu_conv test_cpu_winograd test_cpu_int8 test_ops test_cpu_backend)
    local root=$PWD/build/sysroot names part_passed=0 part_failed=0
    if ! scripts/packaging/sysroot.sh "$root" libcriterion-dev; then
        echo "[FAIL] neon: without packages for aarch64 there is nothing to build against"
        count neon 0 1 0
        return 0
    fi
    names=$(IFS='|' && echo "${targets[*]}")
    build neon --toolchain scripts/packaging/aarch64.cmake -DCMAKE_SYSROOT="$root" -DVGG16_BENCHMARKS=OFF || return 0
    run_tests neon -R "^($names|test_neon_tiles)\$"
    started=$SECONDS
    mkdir -p "$work/bin"
    printf '#!/bin/sh\nexec qemu-aarch64 -L %q %q "$@"\n' "$root" "$PWD/build/neon/vgg16" >"$work/bin/vgg16"
    chmod +x "$work/bin/vgg16"
    check neon "features, a head, fine-tuning, evaluation, prediction, Grad-CAM, conversion" \
        env PATH="$work/bin:$PATH" scripts/packaging/readme.py small
    count neon $part_passed $part_failed 0
}

# on_x86 PART: false, counted as skipped, on a processor of another kind.
on_x86() {
    [ "$(uname -m)" = x86_64 ] && return 0
    echo "[SKIP] $1: this is no x86-64 processor"
    count "$1" 0 0 1
    return 1
}

run_avx512() {
    on_x86 avx512 || return 0
    local targets=(test_cpu_kernels test_cpu_conv test_cpu_winograd test_cpu_bf16 test_ops test_gradients)
    build avx512 -DVGG16_EMULATE_AVX512=ON -DVGG16_VULKAN=OFF -DVGG16_BENCHMARKS=OFF || return 0
    run_tests avx512 -R "^($(IFS='|' && echo "${targets[*]}"))\$"
}

# On lavapipe. Each process opens the log anew: it is a pipe that one reader empties.
run_validation() {
    local part_passed=0 part_failed=0 layer=$PWD/tests/vulkan data=$work/validation log=$work/messages icd reader
    icd=$(compgen -G "/usr/share/vulkan/icd.d/lvp_icd*.json" | head -n 1) || true
    if [ -z "$icd" ] || [ ! -e /usr/lib/chromium/libVkLayer_khronos_validation.so ]; then
        echo "[SKIP] validation: lavapipe or the validation layer is not installed (Debian: mesa-vulkan-drivers, chromium)"
        count validation 0 0 1
        return 0
    fi
    build release || return 0
    mkdir -p "$data/a" "$data/b"
    /usr/bin/python3 -c "
from PIL import Image
for i in range(8):
    Image.effect_noise((70, 66), 50 + 40 * i).convert('RGB').save(f'$data/{\"ab\"[i % 2]}/{i}.png')"
    mkfifo "$log.pipe"
    cat "$log.pipe" >"$log" &
    reader=$!
    exec 9>"$log.pipe"
    local -x VK_ICD_FILENAMES=$icd VK_LAYER_PATH=$layer VK_INSTANCE_LAYERS=VK_LAYER_KHRONOS_validation \
        VK_LAYER_SETTINGS_PATH=$layer/synchronisation.txt VK_LAYER_LOG_FILENAME=$log.pipe \
        VGG16_TEST_BACKEND=vulkan VGG16_BACKEND=vulkan OMP_WAIT_POLICY=passive XDG_RUNTIME_DIR=$work
    folder=build/release run_tests validation -R '^test_(gradients(_discrete|_integrated)?|network|trajectory|onnx|onnx_training|explain|vk_class|vk_train|vk_memory|vk_kept)$'
    started=$SECONDS
    local small=(--weights random --size 64 --batch 3) model=$data.safetensors program=build/release/vgg16
    VK_LAYER_REPORT_FLAGS=info VK_LAYER_LOG_FILENAME=$work/there "$program" devices >/dev/null
    check validation "the layer is there" grep Synchronization "$work/there"
    check validation "every operation" "$program" selftest --quiet
    check validation "features are extracted" "$program" extract "$data" "${small[@]}" --output "$data.npy"
    check validation "a head is trained" "$program" train "$data" "${small[@]}" --epochs 2 --output "$model"
    check validation "a network is trained" "$program" train "$data" "${small[@]}" --trainable all --augment rotate=10,flip \
        --optimizer adam --epochs 1 --validation-split 0.25 --output "$model"
    check validation "it is evaluated" "$program" evaluate "$data" --model "$model"
    check validation "it predicts" "$program" predict --model "$model" "$data/a/0.png"
    check validation "it explains" "$program" explain --model "$model" "$data/a/0.png" --output "$data.png"
    exec 9>&-
    wait "$reader"
    check validation "the layer had nothing to say" diff /dev/null "$log"
    count validation $part_passed $part_failed 0
}

# Nehalem has SSE4.2 and no AVX. Libraries choose by CPUID as the program does; an instruction that the processor lacks
# ends the program by SIGILL.
run_baseline() {
    on_x86 baseline || return 0
    local part_passed=0 part_failed=0 targets=(vgg16) data=$work/baseline
    build release || return 0
    old() { OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive qemu-x86_64 -cpu Nehalem build/release/vgg16 "$@"; }
    check baseline "the old processor has the scalar level alone" grep "driver scalar," <(old devices)
    mkdir -p "$data/a" "$data/b"
    /usr/bin/python3 -c "
from PIL import Image
for i in range(4):
    Image.effect_noise((40, 36), 50 + 40 * i).convert('RGB').save(f'$data/{\"ab\"[i % 2]}/{i}.png')"
    check baseline "every kernel gives the reference's results" old selftest --backend cpu --quiet
    check baseline "features are extracted" old extract "$data" --arch vgg11 --weights random --size 32 --output "$work/old.npy"
    check baseline "a network is trained" old train "$data" --arch vgg11 --weights random --size 32 --trainable all \
        --augment rotate=10,flip --optimizer adam --epochs 1 --batch 2 --output "$work/old.safetensors"
    check baseline "it predicts" old predict --model "$work/old.safetensors" "$data/a/0.png"
    count baseline $part_passed $part_failed 0
}

# What the build for this system, if it is there, gives, the other one must give, too.
run_wine() {
    on_x86 wine || return 0
    local root=$PWD/build/windows_sysroot targets=(vgg16 vgg16_shared vgg16_static seam interrupt vec_error) other=$PWD/build/release/vgg16
    if ! scripts/packaging/windows_sysroot.sh "$root"; then
        echo "[FAIL] wine: without its packages there is nothing to build against"
        count wine 0 1 0
        return 0
    fi
    build wine --toolchain scripts/packaging/windows.cmake -DCMAKE_FIND_ROOT_PATH="$root" -DVGG16_BENCHMARKS=OFF || return 0
    [ -x "$other" ] || other=""
    WINEPREFIX=$work/wine VGG16_OTHER=$other run_tests wine
}

run_coverage() {
    build coverage -DVGG16_COVERAGE=ON -DVGG16_BENCHMARKS=OFF || return 0
    find build/coverage -name '*.gcda' -delete
    run_tests coverage -E '^test_(cli_vk_|vk_|msl|khr_matrix|isolation|gradients_)'
    local part_passed=0 part_failed=0
    started=$SECONDS
    check coverage "parsers and core/ reach their goals" scripts/coverage.py build/coverage
    [ $part_failed = 1 ] || cat "$work/out" # check has shown it otherwise
    count coverage $part_passed $part_failed 0
}

run_mutation() {
    local part_passed=0 part_failed=0 range=${VGG16_MUTATE:-HEAD~1} files
    mapfile -t files < <(git diff --name-only --diff-filter=AM "$range" -- 'core/*.c' 'cpu/*.c' | grep -v '/stb_')
    if [ ${#files[@]} = 0 ]; then
        echo "[SKIP] mutation: no source file has changed in $range"
        count mutation 0 0 1
        return 0
    fi
    check mutation "9 of 10 changes are noticed" scripts/mutate.py "${files[@]}" --count 20 --seconds 900 --least 90
    [ $part_failed = 1 ] || cat "$work/out"
    count mutation $part_passed $part_failed 0
}

# block LANGUAGE [TEXT]: the first fenced block of that language in README.md, that holds TEXT.
block() {
    awk -v open="\`\`\`$1" -v text="${2:-}" '
        on && $0 == "```" { if (index(body, text)) { printf "%s", body; exit } on = 0 }
        on { body = body $0 "\n" }
        $0 == open { on = 1; body = "" }' README.md
}

# Names that the public headers declare, and names that the shared library shows: they must be the same.
same_symbols() {
    cat core/vgg16.h core/vgg16_bench.h core/vgg16_ranks.h | tr '\n' ' ' | grep -oE 'VGG_API [^;(]*\(' | grep -oE 'vgg_[a-z0-9_]+ *\($' | tr -d ' (' | sort >"$work/declared"
    nm -D --defined-only "$1" | awk '$2 != "A" { sub("@@LIBVGG16_1$", "", $3); print $3 }' | sort >"$work/shown"
    diff "$work/declared" "$work/shown"
}

run_install() {
    local part_passed=0 part_failed=0 prefix=$work/prefix example=$work/example page
    local targets=(vgg16 vgg16_shared vgg16_static pages vgg16-mpi-openmpi vgg16-mpi-mpich)
    build release || return 0
    check install "cmake --install" cmake --install build/release --prefix "$prefix"
    check install "the shared library shows what the public headers declare and nothing else" same_symbols "$prefix/lib/libvgg16.so"
    check install "the soname holds the major version" bash -c "objdump -p '$prefix/lib/libvgg16.so' | grep -q 'SONAME *libvgg16.so.1\$'"
    check install "the headers compile as C++" g++ -std=c++11 -Wall -Wextra -Werror -fsyntax-only -x c++ "$prefix/include/"vgg16_{bench,ranks}.h
    check install "the installed program runs" "$prefix/bin/vgg16" --version
    for page in man/man1/vgg16.1 bash-completion/completions/vgg16 zsh/site-functions/_vgg16; do
        check install "share/$page is there" test -s "$prefix/share/$page"
    done
    if [ -e models/vgg16-cifar10.safetensors ]; then
        check install "the installed program finds the starter weights" bash -o pipefail -c "env -u VGG16_STARTER '$prefix/bin/vgg16' summary starter | grep -q '$prefix/share/vgg16/'"
        mv "$prefix" "$prefix.moved"
        check install "and where its prefix was moved to" bash -o pipefail -c "env -u VGG16_STARTER '$prefix.moved/bin/vgg16' summary starter | grep -q '$prefix.moved/share/vgg16/'"
        mv "$prefix.moved" "$prefix"
    fi

    # The README's example, built by the README's own commands, on a picture with weights of the library's own making.
    mkdir -p "$example/cmake"
    block c >"$example/features.c"
    block cmake >"$example/CMakeLists.txt"
    /usr/bin/python3 -c "from PIL import Image; Image.radial_gradient('L').convert('RGB').save('$example/photo.jpg')"
    export PKG_CONFIG_PATH=$prefix/lib/pkgconfig LD_LIBRARY_PATH=$prefix/lib
    check install "the README's example builds through pkg-config" bash -o pipefail -c "cd '$example' && $(block sh '--libs vgg16')"
    check install "it prints 512 features" bash -o pipefail -c "cd '$example' && ./features photo.jpg random >shared.txt && [ \$(wc -w <shared.txt) = 512 ]"
    check install "it builds through find_package(vgg16)" bash -o pipefail -c "cd '$example' && cmake -B cmake -DCMAKE_PREFIX_PATH='$prefix' && cmake --build cmake"
    check install "and prints the same" bash -o pipefail -c "cd '$example' && cmake/features photo.jpg random | cmp - shared.txt"
    sed -i 's/vgg16::vgg16/vgg16::static/' "$example/CMakeLists.txt"
    check install "it builds with vgg16::static" bash -o pipefail -c "cd '$example' && cmake -B static -DCMAKE_PREFIX_PATH='$prefix' && cmake --build static"
    unset LD_LIBRARY_PATH PKG_CONFIG_PATH
    check install "ranks find their components there, and write what one process would" \
        env PATH="$prefix/bin:$PATH" scripts/packaging/readme.py ranks
    check install "and prints the same, without the shared library" bash -o pipefail -c "cd '$example' && static/features photo.jpg random | cmp - shared.txt"
    count install $part_passed $part_failed 0
}

scripts/setup.sh test
targets=()
for part in "${parts[@]}"; do
    echo "== $part"
    started=$SECONDS
    "run_$part" || true
done

echo "== summary"
printf '%s\n' "${summary[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
