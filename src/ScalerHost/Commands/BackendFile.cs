using System.Text;
using FuncScaler.Runtime;
using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>Opens the backend that the command line names.</summary>
internal static class BackendFile
{
    /// <summary>Settings may hold functions' code.</summary>
    private const int LongestBytes = 64 << 20;

    /// <param name="name">The kind of backend.</param>
    /// <param name="file">The file with its settings; null for a kind that has none. Folders in it are relative to the file.</param>
    /// <param name="platform">The platform's address, for a kind that has one.</param>
    /// <param name="run">The name under which slots are created, where it outlives the process.</param>
    /// <exception cref="CommandException">There is no such kind, or its settings are missing or wrong.</exception>
    public static OpenBackend Open(string name, string? file, Uri platform, string? run = null)
    {
        try
        {
            return BackendCatalog.Find(name).Open(
                new BackendSettings
                {
                    Address = platform.AbsoluteUri,
                    SharedRun = run,
                    Json = file is null ? "{}" : Read(file),
                    Folder = file is null ? "" : Path.GetDirectoryName(Path.GetFullPath(file))!,
                },
                new BackendServices());
        }
        catch (BackendSettingsException e)
        {
            // Without a file it is an option of that name that is wrong.
            throw file is null ? new CommandException(CommandException.BadUsage, "--" + e.Message, e) : CommandException.OfFile(file, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or DecoderFallbackException)
        {
            throw new CommandException(CommandException.BadUsage, $"{file} cannot be read: {e.Message}", e);
        }
    }

    private static string Read(string file) =>
        BoundedFile.Text(BoundedFile.Read(file, LongestBytes) ?? throw new IOException($"it has more than {LongestBytes >> 20} MB."));
}
