//! Task sizes that Fargate offers.

/// Size of a phase that requests none: 1 vCPU and 2 GiB.
const DEFAULT: Size = Size { cpu: 1024, memory: 2048 };

/// CPU and memory as written in a task definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// CPU units; 1024 make one core.
    pub cpu: u32,
    /// Memory in MiB.
    pub memory: u32,
}

/// One row per CPU size: CPU units, minimum and maximum memory in MiB, and the memory step.
/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size>
const SIZES: &[(u32, u32, u32, u32)] = &[
    (256, 512, 2048, 512),
    (512, 1024, 4096, 1024),
    (1024, 2048, 8192, 1024),
    (2048, 4096, 16384, 1024),
    (4096, 8192, 30720, 1024),
    (8192, 16384, 61440, 4096),
    (16384, 32768, 122_880, 8192),
];

/// The smallest Fargate size with at least `cpu` thousandths of a core and `memory` MiB; `None` if none is that large.
pub fn fargate(cpu: Option<u32>, memory: Option<u32>) -> Option<Size> {
    if cpu.is_none() && memory.is_none() {
        return Some(DEFAULT);
    }
    let (cpu, memory) = (units(cpu.unwrap_or(0)), memory.unwrap_or(0));
    SIZES.iter().filter(|(units, ..)| *units >= cpu).find_map(|&(cpu, least, most, step)| {
        let rounded = memory.max(least).div_ceil(step) * step;
        // A quarter core comes with 512, 1024 or 2048 MiB, with nothing between the last two.
        let memory = if cpu == 256 { rounded.next_power_of_two() } else { rounded };
        (memory <= most).then_some(Size { cpu, memory })
    })
}

/// Converts thousandths of a core to CPU units, rounding up.
pub fn units(thousandths: u32) -> u32 {
    u32::try_from((u64::from(thousandths) * 1024).div_ceil(1000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(cpu: u32, memory: u32) -> Option<(u32, u32)> {
        fargate(Some(cpu), Some(memory)).map(|size| (size.cpu, size.memory))
    }

    #[test]
    fn a_request_is_rounded_up_to_the_next_size() {
        assert_eq!(fargate(None, None), Some(DEFAULT));
        for (cpu, memory, expected) in [
            (250, 512, (256, 512)),
            (250, 513, (256, 1024)),
            (250, 1500, (256, 2048)),
            (250, 2049, (512, 3072)),
            (100, 100, (256, 512)),
            (251, 512, (512, 1024)),
            (1000, 1, (1024, 2048)),
            (1000, 8193, (2048, 9216)),
            (4000, 31000, (8192, 32768)),
            (8000, 16385, (8192, 20480)),
            (16000, 122_880, (16384, 122_880)),
        ] {
            assert_eq!(size(cpu, memory), Some(expected), "{cpu} {memory}");
        }
        assert_eq!(size(16001, 1), None);
        assert_eq!(size(1, 122_881), None);
    }

    #[test]
    fn cpu_or_memory_alone_is_enough() {
        assert_eq!(fargate(Some(2000), None), Some(Size { cpu: 2048, memory: 4096 }));
        assert_eq!(fargate(None, Some(6000)), Some(Size { cpu: 1024, memory: 6144 }));
    }

    #[test]
    fn every_result_is_a_listed_size_and_covers_the_request() {
        for cpu in (0..17_000).step_by(37) {
            for memory in (0..130_000).step_by(1009) {
                let Some(Size { cpu: units, memory: given }) = fargate(Some(cpu), Some(memory)) else {
                    continue;
                };
                let row = SIZES.iter().find(|row| row.0 == units).unwrap();
                assert!(given >= memory && given >= row.1 && given <= row.2 && given % row.3 == 0);
                assert!(u64::from(units) * 1000 >= u64::from(cpu) * 1024);
                assert!(units != 256 || given.is_power_of_two());
            }
        }
    }
}
