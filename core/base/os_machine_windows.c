/* Clocks, and the machine as Windows tells it. Source: Microsoft, Windows API reference. */
#include <windows.h>

#include <math.h>
#include <psapi.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/os.h"

/* ---- time, and who runs ---- */

double vgg_os_seconds(void)
{
    LARGE_INTEGER now, frequency;
    QueryPerformanceCounter(&now);
    QueryPerformanceFrequency(&frequency);
    return (double)now.QuadPart / (double)frequency.QuadPart;
}

/* Ticks of 100 ns. */
static double ticks_of(FILETIME time)
{
    return (double)((uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime);
}

double vgg_os_date_seconds(void)
{
    const double since_1601 = 11644473600.0;
    FILETIME now;
    GetSystemTimePreciseAsFileTime(&now);
    return 1e-7 * ticks_of(now) - since_1601;
}

void vgg_os_rest(double seconds)
{
    if (seconds > 0)
        Sleep((DWORD)ceil(1e3 * seconds));
    else
        SwitchToThread();
}

/* The C library knows no %F, %T and %H:%M:%S's like, and its %z is a name: what this program asks for is spelt out. */
void vgg_os_date(char *text, size_t size, const char *format, bool utc)
{
    __time64_t now = _time64(NULL);
    struct tm date;
    char spelt[128];
    size_t n = 0;
    for (const char *at = format; *at && n + 16 < sizeof spelt; at++) {
        const char *longer = strncmp(at, "%F", 2) == 0 ? "%Y-%m-%d" : strncmp(at, "%T", 2) == 0 ? "%H:%M:%S" : NULL;
        if (longer) {
            n += (size_t)snprintf(spelt + n, sizeof spelt - n, "%s", longer);
            at++;
        } else {
            spelt[n++] = *at;
            if (*at == '%' && at[1]) spelt[n++] = *++at;
        }
    }
    spelt[n] = '\0';
    errno_t failed = utc ? _gmtime64_s(&date, &now) : _localtime64_s(&date, &now);
    if (failed || strftime(text, size, spelt, &date) == 0) text[0] = '\0';
}

long vgg_os_process(void)
{
    return (long)GetCurrentProcessId();
}

void vgg_os_host(char *name, size_t size)
{
    wchar_t wide[256];
    DWORD length = sizeof wide / sizeof *wide;
    char host[3 * sizeof wide / sizeof *wide];
    if (!GetComputerNameExW(ComputerNameDnsHostname, wide, &length)) return;
    if (WideCharToMultiByte(CP_UTF8, 0, wide, -1, host, sizeof host, NULL, NULL) <= 0) return;
    snprintf(name, size, "%s", host);
}

double vgg_os_process_seconds(void)
{
    FILETIME born, gone, kernel, user;
    if (!GetProcessTimes(GetCurrentProcess(), &born, &gone, &kernel, &user)) return 0;
    return 1e-7 * (ticks_of(kernel) + ticks_of(user));
}

/* ---- the machine ---- */

int vgg_os_processors(void)
{
    DWORD online = GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
    return online > 0 ? (int)online : 1;
}

/* A mask is of one group of 64; a process that has several runs on all of them. */
int vgg_os_affinity(void)
{
    DWORD_PTR own, all;
    if (GetActiveProcessorGroupCount() > 1 || !GetProcessAffinityMask(GetCurrentProcess(), &own, &all) || !own)
        return vgg_os_processors();
    return __builtin_popcountll(own);
}

void vgg_os_processor_name(char *name, size_t size)
{
    char value[128];
    DWORD length = sizeof value;
    LSTATUS failed = RegGetValueA(HKEY_LOCAL_MACHINE, "HARDWARE\\DESCRIPTION\\System\\CentralProcessor\\0",
                                  "ProcessorNameString", RRF_RT_REG_SZ, NULL, value, &length);
    if (failed) value[0] = '\0';
    size_t end = strlen(value);
    while (end > 0 && value[end - 1] == ' ')
        value[--end] = '\0';
    snprintf(name, size, "%s", value + strspn(value, " "));
}

bool vgg_os_has(enum vgg_os_feature feature)
{
    (void)feature;
    return false;
}

size_t vgg_os_first_cache(void)
{
    DWORD bytes = 0;
    size_t size = 0;
    (void)GetLogicalProcessorInformation(NULL, &bytes);
    SYSTEM_LOGICAL_PROCESSOR_INFORMATION *all = bytes ? malloc(bytes) : NULL;
    if (all && GetLogicalProcessorInformation(all, &bytes)) {
        for (size_t i = 0; i < bytes / sizeof *all && !size; i++) {
            const CACHE_DESCRIPTOR *cache = &all[i].Cache;
            if (all[i].Relationship == RelationCache && cache->Level == 1 && cache->Type == CacheData)
                size = cache->Size;
        }
    }
    free(all);
    return size;
}

/* Source: Microsoft, EnableProcessOptionalXStateFeatures: Windows 11 and Server 2022; older systems have no AMX. */
bool vgg_os_allow_tiles(void)
{
    typedef BOOL WINAPI enable_fn(DWORD64 features);
    const DWORD64 tile_data = (DWORD64)1 << 18;
    enable_fn *enable = NULL;
    HMODULE kernel = GetModuleHandleW(L"kernel32.dll");
    FARPROC found = kernel ? GetProcAddress(kernel, "EnableProcessOptionalXStateFeatures") : NULL;
    memcpy(&enable, &found, sizeof enable);
    return enable && enable(tile_data);
}

uint64_t vgg_os_memory(void)
{
    MEMORYSTATUSEX memory = { .dwLength = sizeof memory };
    return GlobalMemoryStatusEx(&memory) ? memory.ullTotalPhys : 0;
}

/* The system's time holds that of no work; what a hypervisor takes is not told. */
bool vgg_os_machine_seconds(double *busy, double *stolen)
{
    FILETIME idle, kernel, user;
    if (!GetSystemTimes(&idle, &kernel, &user)) return false;
    *busy = 1e-7 * (ticks_of(kernel) + ticks_of(user) - ticks_of(idle));
    *stolen = 0;
    return true;
}

uint64_t vgg_os_peak_resident(void)
{
    PROCESS_MEMORY_COUNTERS memory;
    return GetProcessMemoryInfo(GetCurrentProcess(), &memory, sizeof memory) ? memory.PeakWorkingSetSize : 0;
}
