import ControlAPI
import RiptideConfiguration

/// Checks a configuration without a daemon, and so without the machine's interfaces and addresses.
func checkOffline(_ text: String, file: String) -> ConfigReport {
    let result = ConfigurationReader.read(text, file: file)
    return ConfigReport(
        valid: result.configuration != nil,
        diagnostics: result.diagnostics.map { diagnostic in
            ConfigDiagnostic(
                severity: diagnostic.severity.rawValue, file: diagnostic.file, line: diagnostic.line,
                column: diagnostic.column, path: diagnostic.path, message: diagnostic.message, cure: diagnostic.cure)
        })
}
