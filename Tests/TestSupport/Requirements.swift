internal import Glibc
internal import LinuxSystem
package import Testing

extension Trait where Self == ConditionTrait {
    /// The test needs root, because it makes network namespaces. Elsewhere it is skipped and says so; with
    /// RIPTIDE_REQUIRE_KERNEL=1 in the environment it fails instead.
    package static var requiresRoot: ConditionTrait {
        requirement("needs root") { KernelFacts.current().isRoot ? nil : "this test needs root" }
    }

    /// The test needs root and a kernel that lets it use BPF.
    package static var requiresKernel: ConditionTrait {
        requirement("needs root and BPF") {
            let facts = KernelFacts.current()
            return facts.isRoot ? facts.obstacles.first : "this test needs root"
        }
    }

    private static func requirement(
        _ comment: Comment, obstacle: @escaping @Sendable () -> String?
    ) -> ConditionTrait {
        .enabled(comment) {
            guard let obstacle = obstacle() else { return true }
            if getenv("RIPTIDE_REQUIRE_KERNEL").map({ String(cString: $0) }) == "1" {
                throw TestFailure("RIPTIDE_REQUIRE_KERNEL=1, but \(obstacle)")
            }
            return false
        }
    }
}
