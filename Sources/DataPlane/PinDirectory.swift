import DataPlaneABI
import Glibc

/// Where the maps and links of one data plane are pinned, on a BPF file system.
///
/// The maps lie in a folder named after their layout's version, so that a Riptide with other layouts never reads them; the
/// links lie beside it, since whichever version comes next takes them over.
package struct PinDirectory: Sendable {
    package let root: String

    /// For example `/sys/fs/bpf/riptide`.
    package init(root: String) {
        self.root = root
    }

    /// Of the maps; another version's are left alone.
    package var layoutVersion: Int { Int(RIPTIDE_LAYOUT) }
    package var maps: String { "\(root)/v\(layoutVersion)" }
    package var links: String { "\(root)/links" }

    func map(_ name: String) -> String { "\(maps)/\(name)" }

    /// A BPF file system allows no dots in names, and VLAN interfaces have one; colons it allows, and no interface has one.
    func link(_ interface: String) -> String {
        "\(links)/" + String(interface.map { $0 == "." ? ":" : $0 })
    }

    /// Creates the folders that are not there.
    package func create() throws(DataPlaneError) {
        for folder in [root, maps, links] where mkdir(folder, 0o700) != 0 && errno != EEXIST {
            throw DataPlaneError(
                "create \(folder)", code: errno,
                cure: "the folder must lie on a BPF file system: mount -t bpf bpf /sys/fs/bpf")
        }
    }

    func names(in folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Removes every pin. What nothing else holds ends with it: the program leaves the interfaces, flows are forgotten.
    func removeAll() {
        for name in names(in: links) { unlink("\(links)/\(name)") }
        for folder in names(in: root) where folder.hasPrefix("v") {
            for name in names(in: "\(root)/\(folder)") { unlink("\(root)/\(folder)/\(name)") }
            rmdir("\(root)/\(folder)")
        }
        rmdir(links)
        rmdir(root)
    }
}
