/* What only a journal in a file can be asked. */
#include "file.h"

int main(void)
{
    play_backend = "sqlite:";
    return run_crash_tests() + run_disk_tests() + run_fault_tests();
}
