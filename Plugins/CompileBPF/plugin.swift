import Foundation
import PackagePlugin

/// Compiles a program of bpf/ with clang and embeds the object into the target that asks for it.
@main struct CompileBPF: BuildToolPlugin {
    /// Which program each target carries, below bpf/.
    static let programs = [
        "DataPlane": "riptide.bpf.c",
        "riptide-bench": "bench/reference.bpf.c",
    ]

    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        guard let program = Self.programs[target.name] else {
            Diagnostics.error("CompileBPF knows no program for the target \(target.name)")
            return []
        }
        let folder = context.package.directoryURL.appending(path: "bpf")
        let source = folder.appending(path: program)
        let output = context.pluginWorkDirectoryURL.appending(path: "EmbeddedObject.swift")
        // Any header may matter to the program, so each is an input.
        let sources = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)?
            .compactMap { $0 as? URL }.filter { ["c", "h"].contains($0.pathExtension) }
        return [
            .buildCommand(
                displayName: "Compiling bpf/\(program)",
                executable: try context.tool(named: "EmbedBPF").url,
                arguments: [try context.tool(named: "clang").url.path, source.path, output.path],
                inputFiles: sources ?? [source],
                outputFiles: [output])
        ]
    }
}
