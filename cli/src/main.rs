//! The program `fanin`.

#![deny(unsafe_code)]

fn main() -> std::process::ExitCode {
    #[cfg(target_os = "linux")]
    without_a_session();
    fanin_cli::main()
}

/// Mesa's Vulkan layer asks Wayland which GPU the screen has, and Wayland's library writes an "error:" to stderr where there is no
/// session to ask. In a directory that nobody can make it finds no screen, and says nothing.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn without_a_session() {
    const DIR: &str = "XDG_RUNTIME_DIR";
    if !std::env::var_os(DIR).is_some_and(|dir| std::path::Path::new(&dir).is_absolute()) {
        // SAFETY: no other thread is there yet that could read the environment.
        unsafe { std::env::set_var(DIR, "/dev/null") };
    }
}
