import TestSupport
import Testing

/// Real clients, real servers and the real programs in network namespaces. One after the other: each needs the processors for
/// itself.
@Suite("Network", .serialized, .requiresKernel)
enum NetworkTests {}
