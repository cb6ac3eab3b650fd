using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>Opens the backend that the command line names.</summary>
internal static class BackendFile
{
    /// <param name="name">The kind of backend.</param>
    /// <param name="file">The file with its settings; null for a kind that has none. Folders in it are relative to the file.</param>
    /// <param name="platform">The platform's address, for a kind that has one.</param>
    /// <exception cref="CommandException">There is no such kind, or its settings are missing or wrong.</exception>
    public static OpenBackend Open(string name, string? file, Uri platform)
    {
        try
        {
            return BackendCatalog.Find(name).Open(
                new BackendSettings
                {
                    Address = platform.AbsoluteUri,
                    Json = file is null ? "{}" : File.ReadAllText(file),
                    Folder = file is null ? "" : Path.GetDirectoryName(Path.GetFullPath(file))!,
                },
                new BackendServices());
        }
        catch (BackendSettingsException e)
        {
            throw new CommandException(CommandException.BadUsage, file is null ? e.Message : $"{file}:\n  {string.Join("\n  ", e.Errors)}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(CommandException.BadUsage, $"{file} cannot be read: {e.Message}", e);
        }
    }
}
