//! What the program's tests share.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use safetensors::tensor::{Dtype, SafeTensors};
use serde_json::Value;
use tempfile::TempDir;

pub fn fanin(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fanin")).args(arguments).output().unwrap()
}

pub fn succeed(arguments: &[&str]) -> String {
    let output = fanin(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What a run that succeeds says in JSON.
pub fn json_of(arguments: &[&str]) -> Value {
    serde_json::from_str(&succeed(&[arguments, &["--json"]].concat())).unwrap()
}

pub fn strs(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

pub fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/models")
}

pub fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The labels of this machine's adapters that can be opened, as the program calls them, which refuses any other; none is a
/// failure. Only the program tests them, each time that it draws with one.
pub fn adapters() -> &'static [String] {
    static ADAPTERS: LazyLock<Vec<String>> = LazyLock::new(|| {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let found = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
        let opened = found.iter().filter(|adapter| {
            let descriptor = wgpu::DeviceDescriptor { required_limits: adapter.limits(), ..Default::default() };
            fanin_tests::opened(adapter, &descriptor).is_some()
        });
        opened.map(wgpu::Adapter::get_info).map(|info| format!("{} {}", info.backend, info.name)).collect()
    });
    assert!(!ADAPTERS.is_empty(), "these tests need an adapter: apt-get install mesa-vulkan-drivers, or run tests/run");
    &ADAPTERS
}

/// Whether an adapter that `fanin devices` tells of can be opened. One that cannot draws nothing (NVIDIA's OpenGL).
pub fn is_opened(device: &Value) -> bool {
    !device["error"].as_str().is_some_and(|error| error.starts_with("cannot be opened"))
}

pub fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    entries
}

/// A safetensors file of this header and these bytes.
pub fn safetensors_of(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

/// Where a safetensors file's tensors begin, behind its header.
pub fn data_start(file: &[u8]) -> usize {
    8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize
}

/// By name: dtype, shape and bytes.
pub type Tensors = BTreeMap<String, Tensor>;
pub type Tensor = (Dtype, Vec<usize>, Vec<u8>);

pub fn tensors(file: &[u8]) -> Tensors {
    let file = SafeTensors::deserialize(file).unwrap();
    file.iter().map(|(name, t)| (name.to_string(), (t.dtype(), t.shape().to_vec(), t.data().to_vec()))).collect()
}

/// The numbers of a tensor of floats.
pub fn numbers((dtype, _, bytes): &Tensor) -> Vec<f32> {
    let words = bytes.chunks(dtype.bitsize() / 8);
    match dtype {
        Dtype::F32 => words.map(|word| f32::from_le_bytes(word.try_into().unwrap())).collect(),
        Dtype::F16 => words.map(|word| half::f16::from_le_bytes(word.try_into().unwrap()).into()).collect(),
        Dtype::BF16 => words.map(|word| half::bf16::from_le_bytes(word.try_into().unwrap()).into()).collect(),
        other => panic!("{other}"),
    }
}

/// A folder of a test's own.
pub struct Folder(pub TempDir);

impl Folder {
    pub fn new() -> Folder {
        Folder(TempDir::new().unwrap())
    }

    pub fn path(&self, name: &str) -> String {
        path(&self.0.path().join(name)).into()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.0.path().join(name), content).unwrap();
        self.path(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.path().join(name)).unwrap()
    }

    pub fn tensors(&self, name: &str) -> Tensors {
        tensors(&self.read(name))
    }

    /// What is in it, with the bytes of files that are not very large.
    fn contents(&self) -> Vec<(PathBuf, Option<Vec<u8>>)> {
        let is_read = |entry: &Path| fs::metadata(entry).is_ok_and(|it| it.is_file() && it.len() < 1 << 26);
        let entries = entries(self.0.path()).into_iter();
        entries.map(|entry| (entry.clone(), is_read(&entry).then(|| fs::read(entry).unwrap()))).collect()
    }

    /// The program refuses these arguments: exit code 2, all of these in the message, and nothing new in the folder.
    #[track_caller]
    pub fn refuses(&self, arguments: &[&str], says: &[&str]) {
        let before = self.contents();
        let run = in_time(arguments, Stdio::null());
        let message = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(2), "{arguments:?}: {message}");
        for part in says {
            assert!(message.contains(part), "{arguments:?}: \"{message}\" does not say \"{part}\"");
        }
        assert!(self.contents() == before, "{arguments:?} left something behind");
    }
}

/// Runs the program, and ends it where it takes longer than a minute: what is made to harm must not make it wait.
pub fn in_time(arguments: &[&str], stdin: Stdio) -> Output {
    let files = [(); 2].map(|()| tempfile::tempfile().unwrap());
    let [stdout, stderr] = files.each_ref().map(|file| file.try_clone().unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_fanin"));
    let mut child = command.args(arguments).stdin(stdin).stdout(stdout).stderr(stderr).spawn().unwrap();
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("{arguments:?} takes longer than a minute");
        }
        sleep(Duration::from_millis(5));
    };
    let [stdout, stderr] = files.map(|mut file| {
        let mut bytes = Vec::new();
        file.rewind().and_then(|()| file.read_to_end(&mut bytes)).unwrap();
        bytes
    });
    Output { status, stdout, stderr }
}
