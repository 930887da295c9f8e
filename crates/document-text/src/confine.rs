//! What a child gives up before it looks at its document.

use std::io;

use rustix::process::{Resource, Rlimit, Signal, nice, set_parent_process_death_signal, setrlimit};

use super::Limits;

/// Steps down from the priority of the server, which has members waiting.
const NICE: i32 = 10;
/// Standard input, output, error, the document, and some that the parent left open.
const OPEN_FILES: u64 = 64;

/// From here on the process can read the files that it has open, compute, and write its answer. It costs no more than `limits`
/// says, does not outlive its parent, and reaches no file, network or other process. Returns the parts that this kernel lacks.
///
/// # Errors
/// A bound of memory or time cannot be set: then nothing should be read.
pub(super) fn confine(limits: &Limits) -> io::Result<Vec<&'static str>> {
    let exactly = |value| Rlimit {
        current: Some(value),
        maximum: Some(value),
    };
    setrlimit(Resource::As, exactly(limits.memory_bytes))?;
    setrlimit(
        Resource::Cpu,
        Rlimit {
            // The soft bound ends the process with SIGXCPU, so that the parent knows why.
            current: Some(limits.cpu_seconds),
            maximum: Some(limits.cpu_seconds.saturating_add(2)),
        },
    )?;
    setrlimit(Resource::Core, exactly(0))?;
    // The signal comes when the thread that started the child ends. That is a worker of the parent's
    // runtime, which lives as long as the parent.
    #[cfg(target_os = "linux")]
    set_parent_process_death_signal(Some(Signal::KILL))?;

    let mut missing = Vec::new();
    let mut also = |part, set: bool| {
        if !set {
            missing.push(part);
        }
    };
    also("file size", setrlimit(Resource::Fsize, exactly(0)).is_ok());
    also("processes", setrlimit(Resource::Nproc, exactly(0)).is_ok());
    also(
        "open files",
        setrlimit(Resource::Nofile, exactly(OPEN_FILES)).is_ok(),
    );
    also("priority", nice(NICE).is_ok());
    also("system calls", system_calls::restrict().is_ok());
    Ok(missing)
}

#[cfg(target_os = "linux")]
mod system_calls {
    //! The system calls of a program that only computes.

    use std::collections::BTreeMap;

    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
        SeccompRule,
    };

    /// What memory, time, reading and writing of open files, and an orderly or disorderly end need.
    const ALLOWED: &[i64] = &[
        libc::SYS_read,
        libc::SYS_pread64,
        libc::SYS_readv,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_lseek,
        libc::SYS_fstat,
        libc::SYS_close,
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_mprotect,
        libc::SYS_madvise,
        libc::SYS_brk,
        libc::SYS_futex,
        libc::SYS_getrandom,
        libc::SYS_clock_gettime,
        libc::SYS_gettimeofday,
        libc::SYS_nanosleep,
        libc::SYS_clock_nanosleep,
        libc::SYS_sched_yield,
        libc::SYS_sched_getaffinity,
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_sigaltstack,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_restart_syscall,
        libc::SYS_rseq,
        libc::SYS_set_robust_list,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ];

    /// Refuses all others; a refused call fails, and the reader reports what it could not do.
    pub(super) fn restrict() -> Result<(), seccompiler::Error> {
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
            ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
        // An abort signals its own process; others it may not.
        let own = SeccompCondition::new(
            0,
            SeccompCmpArgLen::Dword,
            SeccompCmpOp::Eq,
            u64::from(std::process::id()),
        )?;
        let own = vec![SeccompRule::new(vec![own])?];
        rules.insert(libc::SYS_tgkill, own.clone());
        rules.insert(libc::SYS_kill, own);
        let filter = SeccompFilter::new(
            rules,
            SeccompAction::Errno(libc::EPERM.unsigned_abs()),
            SeccompAction::Allow,
            std::env::consts::ARCH.try_into()?,
        )?;
        let program: BpfProgram = filter.try_into()?;
        // Sets no_new_privs, too.
        seccompiler::apply_filter(&program)
    }
}

#[cfg(not(target_os = "linux"))]
mod system_calls {
    //! Other kernels have no such filter.

    pub(super) fn restrict() -> Result<(), ()> {
        Err(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    const SECRET: &str = "jwt-secret";

    /// What the tests below run in a process of its own.
    #[test]
    #[ignore = "confines its process: started by the other test"]
    fn a_confined_process_tries_everything() {
        // In the working folder, which the other test has made.
        let secret = Path::new(SECRET);
        let missing = confine(&Limits::default()).unwrap();
        assert!(missing.is_empty(), "{missing:?}");
        let denied = |what: &str, error: Option<io::Error>| {
            println!("{what}: {:?}", error.map(|error| error.kind()));
        };
        denied("tcp", std::net::TcpStream::connect("127.0.0.1:1").err());
        denied("udp", std::net::UdpSocket::bind("127.0.0.1:0").err());
        denied("unix", std::os::unix::net::UnixStream::pair().err());
        denied("read", std::fs::read(secret).err());
        denied("list", std::fs::read_dir("/").err());
        denied("write", std::fs::write(secret, [0; 1 << 20]).err());
        denied("remove", std::fs::remove_file(secret).err());
        denied("process", Command::new("/bin/true").status().err());
        denied("thread", std::thread::Builder::new().spawn(|| ()).err());
        // The exit of the harness would want more than is allowed.
        std::process::exit(0);
    }

    #[test]
    fn a_confined_child_reaches_no_file_no_network_and_no_process() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join(SECRET);
        std::fs::write(&secret, "a signing secret").unwrap();
        let name = "confine::tests::a_confined_process_tries_everything";
        let output = Command::new(std::env::current_exe().unwrap())
            .current_dir(folder.path())
            .args(["--exact", name, "--ignored", "--nocapture"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        for what in [
            "tcp", "udp", "unix", "read", "list", "write", "remove", "process", "thread",
        ] {
            let refused = format!("{what}: Some(PermissionDenied)");
            assert!(said.contains(&refused), "{what}: {said} {output:?}");
        }
        let kept = std::fs::read_to_string(&secret).unwrap();
        assert_eq!(kept, "a signing secret");
    }
}
