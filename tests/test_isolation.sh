#!/usr/bin/env bash
# The rules of the house that a script can check: who may include whom, names, sizes, and what the library must not do.
# Usage: test_isolation.sh ROOT [LIBRARY.so]. Prints each violation; exit 1 if there is one.
set -u
root=$1 library=${2:-}
cd "$root" || exit 1

# violation LAW: prints the law when there are offending lines on stdin, and the lines.
violation() {
    local lines
    lines=$(cat)
    [ -z "$lines" ] || printf '%s:\n%s\n' "$1" "$lines" | sed '2,$s/^/    /'
}

files() { # files PATTERN...: the project's files, without build folders
    find core cpu vk shaders tests benchmarks scripts -type f \( -name "$1" "${@:2}" \) -not -path '*/build*' \
        -not -path '*/__pycache__/*' 2>/dev/null | sort
}
sources() { files '*.c' -o -name '*.h'; }
rooms() { sources | grep -E "^($1)/"; }
having() { xargs -r grep -nHE "$1"; } # having REGEX: matching lines of the files named on stdin
includes() { # includes REGEX: lines that include something that matches
    having "^[[:space:]]*#[[:space:]]*include[[:space:]]*[\"<]($1)"
}

check() {
    rooms cpu | includes '(\.\./)?vk/|vulkan' | violation 'cpu/ never sees vk/'
    rooms vk | includes '(\.\./)?cpu/' | violation 'vk/ never sees cpu/'
    rooms core | grep -v '^core/op/backend\.c$' | includes '(\.\./)?(cpu|vk|shaders)/' |
        violation 'only core/op/backend.c names backends'
    rooms core/cli | having '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' |
        grep -vE '"core/(vgg16\.h|cli/[a-z0-9_]+\.h)"' | violation 'core/cli/ includes core/vgg16.h and its own only'
    rooms 'core|cpu|vk' | having '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' |
        grep -vE '"(core|cpu|vk|shaders/common)/' | violation 'project headers are included by room: "core/x.h"'

    rooms 'core|vk' | includes '[a-z0-9_]*intrin\.h|arm_neon\.h|arm_sve\.h|cpuid\.h|sleef\.h' |
        violation 'intrinsics stay in cpu/'
    rooms cpu | grep -vE '^cpu/(x86/|arm/|cpu_float\.c)' | includes '[a-z0-9_]*intrin\.h|arm_neon\.h|arm_sve\.h' |
        violation 'intrinsics stay in cpu/x86 and cpu/arm (cpu_float.c sets the floating-point mode)'
    rooms core | includes 'vulkan' | violation 'core/ does not know Vulkan'
    rooms cpu/x86 | grep -E '_avx2\.[ch]$' | having '_mm512|__m512|_mm(256)?_maskz?_|__mmask' |
        violation 'AVX2 files hold AVX2 only'
    rooms cpu/x86 | grep -vE '_(avx2|avx512[a-z0-9]*)\.[ch]$' | having '_mm(256|512)?_|__m(128|256|512)' |
        violation 'x86 intrinsics stand in files named after their level'
    rooms cpu/arm | grep -vE '_neon\.[ch]$' | having 'float32x4|vld1q|vfmaq' |
        violation 'Arm intrinsics stand in files named after their level'
    grep -nHE 'march=native|mtune=native' CMakeLists.txt ./*/CMakeLists.txt | violation 'no -march=native'

    files '*.c' -o -name '*.h' -o -name '*.comp' -o -name '*.glsl' -o -name '*.py' -o -name '*.sh' | sed 's|.*/||' |
        sort | uniq -d | violation 'file names are unique'
    files '*.c' -o -name '*.h' -o -name '*.comp' -o -name '*.glsl' -o -name '*.py' -o -name '*.sh' | xargs -r wc -l |
        awk '$2 != "total" && $1 > 800 { print $2 ": " $1 " lines" }' | violation 'no file above 800 lines'
    for file in $(rooms 'core|cpu|vk' | grep '\.c$' | grep -v '^core/cli/'); do
        base=$(basename "$file")
        case $file in
        cpu/*) [[ $base == cpu_* ]] || echo "$file" ;;
        vk/*) [[ $base == vk_* ]] || echo "$file" ;;
        core/*) [[ $base != cpu_* && $base != vk_* ]] || echo "$file" ;;
        esac
    done | violation 'the prefix of a file names its room'

    rooms 'core|cpu|vk' | grep -v '^core/cli/' | having '(^|[^a-zA-Z0-9_>.])(exit|_exit|abort|quick_exit) *\(' |
        violation 'the library never ends the process'
    sources | having '\b(TODO|FIXME|XXX)\b' | violation 'nothing is left to do'
    rooms 'core|cpu|vk' | having '\b(strcpy|strcat|sprintf|gets)[[:space:]]*\(' | violation 'no unbounded copies'
    rooms 'core|cpu|vk' | grep -v '^core/cli/' | having '(^|[^a-zA-Z0-9_])printf[[:space:]]*\(' |
        violation 'the library does not print'

    # Everything that the shared library exports is declared in the public header, and the other way round.
    if [ -n "$library" ] && command -v nm >/dev/null; then
        exported=$(nm -D --defined-only "$library" | awk '$2 ~ /[TDBR]/ && $3 !~ /^_(init|fini)$/ { print $3 }' | sort)
        declared=$(grep -A1 -hoE '^VGG_API.*' core/vgg16.h | grep -oE 'vgg_[a-z0-9_]+\(' | tr -d '(' | sort -u)
        comm -23 <(echo "$exported") <(echo "$declared") | violation 'exported, but not in core/vgg16.h'
        comm -13 <(echo "$exported") <(echo "$declared") | violation 'in core/vgg16.h, but not exported'
    fi
}

broken=$(check)
[ -z "$broken" ] && echo "all rules hold" && exit 0
echo "$broken"
exit 1
