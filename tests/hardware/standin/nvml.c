/* A libnvidia-ml.so.1 for machines without a GPU: the functions that distml, Ray and torch call, answered from a text
 * file that the variable NVML_STANDIN names. The file is read again whenever it has changed, so that a test can take
 * a card away while somebody is looking at it.
 *
 * One line a fact, words apart by blanks; `gpu` and `slice` begin a device, to which the lines after them belong:
 *   driver 570.86.15        cuda 12080
 *   clock 12.5              the time in seconds, standing still; `epoch UNIX-SECONDS` instead: real time since then
 *   error FUNCTION CODE     fails with an NVML code; for all devices, or within a device for that one; FUNCTION may be *
 *   gpu NAME                whole card                slice INDEX NAME   slice of the last card; indices may have gaps
 *   uuid UUID               cores N (CUDA cores)      capability MAJOR MINOR
 *   memory MIB RESERVED     limit WATTS               mig CURRENT PENDING (0 or 1)     gpm 1
 *   sms N                   slices GPU COMPUTE        instance GPU-INSTANCE COMPUTE-INSTANCE
 *   process PID MIB         MIB may be '-': not available
 *   used | power | temperature | utilisation | sm_clock | memory_clock | throttle  SECONDS:VALUE ...
 * A time series holds each value until the next one's time. What a device lacks, NVML does not support on it.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { SUCCESS, UNINITIALIZED, INVALID_ARGUMENT, NOT_SUPPORTED, NO_PERMISSION, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7,
       DRIVER_NOT_LOADED = 9, GPU_IS_LOST = 15, VERSION_MISMATCH = 25 };
enum { USED, POWER, TEMPERATURE, UTILISATION, SM_CLOCK, MEMORY_CLOCK, THROTTLE, SERIES };
enum { POINTS = 32, PROCESSES = 16, FAILURES = 8, SLICES = 8, GPUS = 16 };
static const char *SERIES_NAMES[] = {"used", "power", "temperature", "utilisation", "sm_clock", "memory_clock",
                                     "throttle"};

typedef unsigned long long u64;
typedef struct { int points; double at[POINTS], value[POINTS]; } series;
typedef struct { char function[64]; int code; } failure;
typedef struct { unsigned pid; u64 used; unsigned gpu_instance, compute_instance; } process;
typedef struct device {
    char name[96], uuid[96];
    unsigned cores, major, minor, limit, has_mig, mig, mig_pending, gpm, sms, gpu_slices, compute_slices;
    unsigned gpu_instance, compute_instance, index;
    u64 memory, reserved;
    series over_time[SERIES];
    int processes, failures;
    process process[PROCESSES];
    failure failure[FAILURES];
    struct device *parent; /* NULL: a whole card */
    int present;
} device;
typedef struct {
    char driver[80];
    int cuda, gpus, failures;
    double clock, epoch;
    failure failure[FAILURES];
    device gpu[GPUS], slice[GPUS][SLICES];
} machine;

static machine now, next; /* handles point into `now`; `next` is what is being read */
static int users;
static struct stat seen;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static device *in_now(device *d) { return d ? (device *)((char *)&now + ((char *)d - (char *)&next)) : NULL; }

static void read_series(series *s, char *words) {
    s->points = 0; /* the last one counts */
    for (char *word = strtok(words, " \t"); word && s->points < POINTS; word = strtok(NULL, " \t"), s->points++)
        sscanf(word, "%lf:%lf", &s->at[s->points], &s->value[s->points]);
}

static void read_line(char *line, device **card, device **current) {
    char key[32] = "", *rest = line;
    int used = 0;
    if (sscanf(line, " %31s %n", key, &used) < 1 || *key == '#') return;
    rest += used;
    device *d = *current;
    failure f = {"", 0};
    if (!strcmp(key, "driver")) sscanf(rest, "%79s", next.driver);
    else if (!strcmp(key, "cuda")) next.cuda = atoi(rest);
    else if (!strcmp(key, "clock")) next.clock = atof(rest);
    else if (!strcmp(key, "epoch")) next.epoch = atof(rest);
    else if (!strcmp(key, "error")) {
        sscanf(rest, "%63s %d", f.function, &f.code);
        if (d) d->failure[d->failures++] = f;
        else next.failure[next.failures++] = f;
    } else if (!strcmp(key, "gpu")) {
        d = *card = *current = &next.gpu[next.gpus];
        snprintf(d->name, sizeof d->name, "%s", rest);
        d->index = next.gpus++;
        d->gpu_instance = d->compute_instance = 0xFFFFFFFF;
        d->present = 1;
    } else if (!strcmp(key, "slice")) {
        unsigned index = strtoul(rest, &rest, 10);
        d = *current = &next.slice[(*card)->index][index];
        snprintf(d->name, sizeof d->name, "%s", rest + 1);
        d->index = index;
        d->parent = in_now(*card);
        d->present = 1;
    } else if (!strcmp(key, "uuid")) snprintf(d->uuid, sizeof d->uuid, "%s", rest);
    else if (!strcmp(key, "memory")) {
        d->memory = strtoull(rest, &rest, 10) << 20;
        d->reserved = strtoull(rest, NULL, 10) << 20;
    } else if (!strcmp(key, "cores")) d->cores = atoi(rest);
    else if (!strcmp(key, "capability")) sscanf(rest, "%u %u", &d->major, &d->minor);
    else if (!strcmp(key, "limit")) d->limit = atoi(rest);
    else if (!strcmp(key, "mig")) d->has_mig = 1, sscanf(rest, "%u %u", &d->mig, &d->mig_pending);
    else if (!strcmp(key, "gpm")) d->gpm = atoi(rest);
    else if (!strcmp(key, "sms")) d->sms = atoi(rest);
    else if (!strcmp(key, "slices")) sscanf(rest, "%u %u", &d->gpu_slices, &d->compute_slices);
    else if (!strcmp(key, "instance")) sscanf(rest, "%u %u", &d->gpu_instance, &d->compute_instance);
    else if (!strcmp(key, "process")) {
        char *mib;
        unsigned pid = strtoul(rest, &mib, 10);
        u64 bytes = strchr(mib, '-') ? ~0ULL : strtoull(mib, NULL, 10) << 20;
        d->process[d->processes++] = (process){pid, bytes, d->gpu_instance, d->compute_instance};
    } else
        for (int i = 0; i < SERIES; i++)
            if (!strcmp(key, SERIES_NAMES[i])) read_series(&d->over_time[i], rest);
}

static int refresh(void) {
    const char *path = getenv("NVML_STANDIN");
    struct stat found;
    if (!path || stat(path, &found)) return DRIVER_NOT_LOADED;
    if (found.st_mtim.tv_sec == seen.st_mtim.tv_sec && found.st_mtim.tv_nsec == seen.st_mtim.tv_nsec &&
        found.st_ino == seen.st_ino && found.st_size == seen.st_size)
        return SUCCESS;
    FILE *file = fopen(path, "r");
    if (!file) return DRIVER_NOT_LOADED;
    char line[2048];
    device *card = NULL, *current = NULL;
    memset(&next, 0, sizeof next);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\r\n")] = 0;
        read_line(line, &card, &current);
    }
    fclose(file);
    now = next;
    seen = found;
    return SUCCESS;
}

static int failing(const failure *list, int count, const char *function) {
    for (int i = 0; i < count; i++) {
        size_t length = strlen(list[i].function);
        int same = !strncmp(list[i].function, function, length) &&
                   (!function[length] || !strncmp(function + length, "_v", 2));
        if (same || !strcmp(list[i].function, "*")) return list[i].code;
    }
    return SUCCESS;
}

/* What every function does first: is the library open, does the device exist, shall this call fail? */
static int enter(const char *function, int needs_device, device *d) {
    pthread_mutex_lock(&lock);
    int code = users ? refresh() : UNINITIALIZED;
    if (!code) code = failing(now.failure, now.failures, function);
    if (!code && needs_device) {
        char *place = (char *)d;
        if (place < (char *)now.gpu || place >= (char *)(&now + 1)) code = INVALID_ARGUMENT;
        else if (!d->present) code = place < (char *)now.slice ? GPU_IS_LOST : INVALID_ARGUMENT;
        else if (d->parent && (code = failing(d->parent->failure, d->parent->failures, "*"))) (void)0;
        else code = failing(d->failure, d->failures, function);
    }
    pthread_mutex_unlock(&lock);
    return code;
}
#define ENTER(needs_device, d) do { int code = enter(__func__, needs_device, d); if (code) return code; } while (0)

static double seconds(void) {
    struct timespec t;
    if (!now.epoch) return now.clock;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec + t.tv_nsec * 1e-9 - now.epoch;
}

static double value_at(const series *s, double t) {
    double value = s->value[0];
    for (int i = 0; i < s->points && s->at[i] <= t; i++) value = s->value[i];
    return value;
}

static double integral(const series *s, double t) {
    double sum = 0;
    for (int i = 0; i < s->points && s->at[i] < t; i++) {
        double end = i + 1 < s->points && s->at[i + 1] < t ? s->at[i + 1] : t;
        sum += s->value[i] * (end - s->at[i]);
    }
    return sum;
}

static int reading(device *d, int which, unsigned *out) {
    if (!d->over_time[which].points) return NOT_SUPPORTED;
    *out = (unsigned)value_at(&d->over_time[which], seconds());
    return SUCCESS;
}

static int text(char *out, unsigned length, const char *words) {
    if (strlen(words) >= length) return INSUFFICIENT_SIZE;
    strcpy(out, words);
    return SUCCESS;
}

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    pthread_mutex_lock(&lock);
    int code = refresh();
    if (!code) code = failing(now.failure, now.failures, __func__);
    users += !code;
    pthread_mutex_unlock(&lock);
    return code;
}
int nvmlInit(void) { return nvmlInitWithFlags(0); }
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) {
    if (!users) return UNINITIALIZED;
    users--;
    return SUCCESS;
}
const char *nvmlErrorString(int code) {
    static char words[32];
    snprintf(words, sizeof words, "NVML error %d", code);
    return words;
}
int nvmlSystemGetDriverVersion(char *out, unsigned length) { ENTER(0, NULL); return text(out, length, now.driver); }
int nvmlSystemGetNVMLVersion(char *out, unsigned length) { ENTER(0, NULL); return text(out, length, now.driver); }
int nvmlSystemGetCudaDriverVersion(int *out) { ENTER(0, NULL); *out = now.cuda; return SUCCESS; }
int nvmlSystemGetCudaDriverVersion_v2(int *out) { ENTER(0, NULL); *out = now.cuda; return SUCCESS; }
int nvmlDeviceGetCount_v2(unsigned *out) { ENTER(0, NULL); *out = now.gpus; return SUCCESS; }
int nvmlDeviceGetCount(unsigned *out) { return nvmlDeviceGetCount_v2(out); }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, device **out) {
    ENTER(0, NULL);
    if (index >= (unsigned)now.gpus) return INVALID_ARGUMENT;
    ENTER(1, &now.gpu[index]);
    *out = &now.gpu[index];
    return SUCCESS;
}
int nvmlDeviceGetHandleByIndex(unsigned index, device **out) { return nvmlDeviceGetHandleByIndex_v2(index, out); }
int nvmlDeviceGetHandleByUUID(const char *uuid, device **out) {
    ENTER(0, NULL);
    for (int i = 0; i < now.gpus; i++)
        for (int j = -1; j < SLICES; j++) {
            device *d = j < 0 ? &now.gpu[i] : &now.slice[i][j];
            if (d->present && !strcmp(d->uuid, uuid)) return *out = d, SUCCESS;
        }
    return NOT_FOUND;
}

int nvmlDeviceGetName(device *d, char *out, unsigned length) { ENTER(1, d); return text(out, length, d->name); }
int nvmlDeviceGetUUID(device *d, char *out, unsigned length) { ENTER(1, d); return text(out, length, d->uuid); }
int nvmlDeviceGetIndex(device *d, unsigned *out) { ENTER(1, d); *out = d->index; return SUCCESS; }
int nvmlDeviceGetMinorNumber(device *d, unsigned *out) { ENTER(1, d); *out = d->index; return SUCCESS; }
int nvmlDeviceGetNumGpuCores(device *d, unsigned *out) {
    ENTER(1, d);
    if (!d->cores) return NOT_SUPPORTED;
    *out = d->cores;
    return SUCCESS;
}
int nvmlDeviceGetCudaComputeCapability(device *d, int *major, int *minor) {
    ENTER(1, d);
    device *card = d->parent ? d->parent : d;
    if (!card->major) return NOT_SUPPORTED;
    *major = card->major, *minor = card->minor;
    return SUCCESS;
}
typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char bus_id[32]; } pci;
int nvmlDeviceGetPciInfo_v3(device *d, pci *out) {
    ENTER(1, d);
    memset(out, 0, sizeof *out);
    out->bus = (d->parent ? d->parent : d)->index + 1;
    snprintf(out->legacy, sizeof out->legacy, "0000:%02X:00.0", out->bus & 0xFF);
    snprintf(out->bus_id, sizeof out->bus_id, "00000000:%02X:00.0", out->bus & 0xFF);
    return SUCCESS;
}

typedef struct { u64 total, free, used; } memory_v1;
int nvmlDeviceGetMemoryInfo(device *d, memory_v1 *out) {
    ENTER(1, d);
    if (!d->memory) return NOT_SUPPORTED;
    u64 used = ((u64)value_at(&d->over_time[USED], seconds()) << 20) + d->reserved; /* version 1 has no word for it */
    *out = (memory_v1){d->memory, d->memory - used, used};
    return SUCCESS;
}

typedef struct { unsigned gpu, memory; } rates;
int nvmlDeviceGetUtilizationRates(device *d, rates *out) {
    ENTER(1, d);
    if (d->parent || d->mig) return NOT_SUPPORTED;
    out->memory = 0;
    return reading(d, UTILISATION, &out->gpu);
}
int nvmlDeviceGetPowerUsage(device *d, unsigned *milliwatts) {
    ENTER(1, d);
    if (!d->over_time[POWER].points) return NOT_SUPPORTED;
    *milliwatts = (unsigned)(value_at(&d->over_time[POWER], seconds()) * 1000);
    return SUCCESS;
}
int nvmlDeviceGetTotalEnergyConsumption(device *d, u64 *millijoules) {
    ENTER(1, d);
    if (!d->over_time[POWER].points) return NOT_SUPPORTED;
    *millijoules = (u64)(integral(&d->over_time[POWER], seconds()) * 1000 + 0.5);
    return SUCCESS;
}
int nvmlDeviceGetPowerManagementLimit(device *d, unsigned *milliwatts) {
    ENTER(1, d);
    if (!d->limit) return NOT_SUPPORTED;
    *milliwatts = d->limit * 1000;
    return SUCCESS;
}
int nvmlDeviceGetEnforcedPowerLimit(device *d, unsigned *out) { return nvmlDeviceGetPowerManagementLimit(d, out); }
int nvmlDeviceGetTemperature(device *d, int sensor, unsigned *out) {
    ENTER(1, d);
    return sensor ? INVALID_ARGUMENT : reading(d, TEMPERATURE, out);
}
int nvmlDeviceGetClockInfo(device *d, int clock, unsigned *out) {
    ENTER(1, d);
    return clock > 2 ? NOT_SUPPORTED : reading(d, clock == 2 ? MEMORY_CLOCK : SM_CLOCK, out);
}
static int throttling(device *d, u64 *out) {
    unsigned mask;
    int code = reading(d, THROTTLE, &mask);
    if (!code) *out = mask;
    return code;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(device *d, u64 *out) { ENTER(1, d); return throttling(d, out); }

static int processes_of(device *d, unsigned *count, process *out) {
    process found[PROCESSES * (SLICES + 1)];
    unsigned running = 0;
    for (int j = -1; j < (d->parent ? 0 : SLICES); j++) {
        device *one = j < 0 ? d : &now.slice[d->index][j];
        for (int i = 0; i < one->processes; i++) found[running++] = one->process[i];
    }
    unsigned room = *count;
    *count = running;
    if (room < running) return INSUFFICIENT_SIZE;
    if (running) memcpy(out, found, running * sizeof *out);
    return SUCCESS;
}
static int none(unsigned *count) { *count = 0; return SUCCESS; }
#define PROCESS_LIST(version) \
    int nvmlDeviceGetComputeRunningProcesses_##version(device *d, unsigned *count, process *out) { \
        ENTER(1, d); return processes_of(d, count, out); } \
    int nvmlDeviceGetGraphicsRunningProcesses_##version(device *d, unsigned *count, process *out) { \
        (void)out; ENTER(1, d); return none(count); }
PROCESS_LIST(v2)

int nvmlDeviceGetMigMode(device *d, unsigned *current, unsigned *pending) {
    ENTER(1, d);
    if (!d->has_mig) return NOT_SUPPORTED;
    *current = d->mig, *pending = d->mig_pending;
    return SUCCESS;
}
int nvmlDeviceGetMaxMigDeviceCount(device *d, unsigned *out) {
    ENTER(1, d);
    *out = d->has_mig ? SLICES - 1 : 0;
    return SUCCESS;
}
int nvmlDeviceGetMigDeviceHandleByIndex(device *d, unsigned index, device **out) {
    ENTER(1, d);
    if (!d->has_mig || index >= SLICES - 1) return INVALID_ARGUMENT;
    if (!d->mig || !now.slice[d->index][index].present) return NOT_FOUND;
    *out = &now.slice[d->index][index];
    return SUCCESS;
}
int nvmlDeviceIsMigDeviceHandle(device *d, unsigned *out) { ENTER(1, d); *out = d->parent != NULL; return SUCCESS; }
int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(device *d, device **out) {
    ENTER(1, d);
    if (!d->parent) return INVALID_ARGUMENT;
    *out = d->parent;
    return SUCCESS;
}
int nvmlDeviceGetGpuInstanceId(device *d, unsigned *out) {
    ENTER(1, d);
    if (!d->parent) return NOT_SUPPORTED;
    *out = d->gpu_instance;
    return SUCCESS;
}
int nvmlDeviceGetComputeInstanceId(device *d, unsigned *out) {
    ENTER(1, d);
    if (!d->parent) return NOT_SUPPORTED;
    *out = d->compute_instance;
    return SUCCESS;
}
typedef struct { unsigned sms, copy, decoder, encoder, jpeg, ofa, gpu_slices, compute_slices; u64 memory_mib; } attributes;
int nvmlDeviceGetAttributes_v2(device *d, attributes *out) {
    ENTER(1, d);
    if (!d->parent) return NOT_SUPPORTED; /* NVML answers it for slices alone */
    memset(out, 0, sizeof *out);
    out->sms = d->sms, out->gpu_slices = d->gpu_slices, out->compute_slices = d->compute_slices;
    out->memory_mib = d->memory >> 20;
    return SUCCESS;
}

#ifndef OLD_DRIVER /* built with it, the library lacks these, as one of some years ago does */
PROCESS_LIST(v3)

typedef struct { unsigned version; u64 total, reserved, free, used; } memory_v2;
int nvmlDeviceGetMemoryInfo_v2(device *d, memory_v2 *out) {
    ENTER(1, d);
    if (out->version != (sizeof *out | 2 << 24)) return VERSION_MISMATCH;
    if (!d->memory) return NOT_SUPPORTED;
    u64 used = (u64)value_at(&d->over_time[USED], seconds()) << 20;
    *out = (memory_v2){out->version, d->memory, d->reserved, d->memory - d->reserved - used, used};
    return SUCCESS;
}

int nvmlDeviceGetCurrentClocksEventReasons(device *d, u64 *out) { ENTER(1, d); return throttling(d, out); }

typedef struct { unsigned version; int sensor, temperature; } temperature_v1;
int nvmlDeviceGetTemperatureV(device *d, temperature_v1 *out) {
    ENTER(1, d);
    if (out->version != (sizeof *out | 1 << 24)) return VERSION_MISMATCH;
    return out->sensor ? INVALID_ARGUMENT : reading(d, TEMPERATURE, (unsigned *)&out->temperature);
}

typedef struct { u64 time; unsigned pid, sm, memory, encoder, decoder, jpeg, ofa; } process_rates;
typedef struct { unsigned version, count; u64 since; process_rates *out; } process_rates_v1;
int nvmlDeviceGetProcessesUtilizationInfo(device *d, process_rates_v1 *ask) {
    ENTER(1, d);
    if (ask->version != (sizeof *ask | 1 << 24)) return VERSION_MISMATCH;
    if (d->parent || d->mig || !d->over_time[UTILISATION].points) return NOT_SUPPORTED;
    if (!d->processes) return NOT_FOUND; /* nothing has run since */
    unsigned room = ask->count;
    ask->count = d->processes;
    if (room < (unsigned)d->processes) return INSUFFICIENT_SIZE;
    for (int i = 0; i < d->processes; i++)
        ask->out[i] = (process_rates){(u64)(seconds() * 1e6), d->process[i].pid,
                                      (unsigned)value_at(&d->over_time[UTILISATION], seconds()) / d->processes,
                                      0, 0, 0, 0, 0};
    return SUCCESS;
}

typedef struct { double time, busy; } gpm_sample;
typedef struct { unsigned id; int code; double value; const char *short_name, *long_name, *unit; } gpm_metric;
/* The length of the array differs from one release of the header to the next: only `count` of them are touched. */
typedef struct { unsigned version, count; gpm_sample *first, *second; gpm_metric metrics[]; } gpm_request;
typedef struct { unsigned version, supported; } gpm_support;
int nvmlGpmQueryDeviceSupport(device *d, gpm_support *out) {
    ENTER(1, d);
    if (out->version != 1) return VERSION_MISMATCH;
    out->supported = (d->parent ? d->parent : d)->gpm;
    return SUCCESS;
}
int nvmlGpmSampleAlloc(gpm_sample **out) { ENTER(0, NULL); *out = calloc(1, sizeof **out); return SUCCESS; }
int nvmlGpmSampleFree(gpm_sample *sample) { free(sample); return SUCCESS; }
int nvmlGpmSampleGet(device *d, gpm_sample *out) {
    ENTER(1, d);
    if (d->parent || !d->gpm || d->mig) return NOT_SUPPORTED;
    *out = (gpm_sample){seconds(), integral(&d->over_time[UTILISATION], seconds())};
    return SUCCESS;
}
int nvmlGpmMigSampleGet(device *d, unsigned gpu_instance, gpm_sample *out) {
    ENTER(1, d);
    if (d->parent) return INVALID_ARGUMENT; /* it wants the card and the slice's number */
    if (!d->gpm || !d->mig) return NOT_SUPPORTED;
    for (int j = 0; j < SLICES; j++) {
        device *slice = &now.slice[d->index][j];
        if (slice->present && slice->gpu_instance == gpu_instance) {
            *out = (gpm_sample){seconds(), integral(&slice->over_time[UTILISATION], seconds())};
            return SUCCESS;
        }
    }
    return NOT_FOUND;
}
int nvmlGpmMetricsGet(gpm_request *ask) {
    ENTER(0, NULL);
    if (ask->version != 1) return VERSION_MISMATCH;
    double span = ask->second->time - ask->first->time;
    if (span <= 0) return INVALID_ARGUMENT;
    for (unsigned i = 0; i < ask->count; i++) {
        gpm_metric *metric = &ask->metrics[i];
        metric->code = metric->id == 1 || metric->id == 2 ? SUCCESS : NOT_SUPPORTED;
        metric->value = metric->code ? 0 : (ask->second->busy - ask->first->busy) / span;
    }
    return SUCCESS;
}
#endif
