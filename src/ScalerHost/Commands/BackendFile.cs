using System.Text;
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
            var message = file is null ? "--" + e.Message : e.Errors.Count == 1 ? $"{file}: {e.Message}" : $"{file}:\n  {string.Join("\n  ", e.Errors)}";
            throw new CommandException(CommandException.BadUsage, message, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or DecoderFallbackException)
        {
            throw new CommandException(CommandException.BadUsage, $"{file} cannot be read: {e.Message}", e);
        }
    }

    /// <summary>The file's text; a device or a pipe may have no end.</summary>
    private static string Read(string file)
    {
        using var stream = File.OpenRead(file);
        var buffer = new byte[64 * 1024];
        using var read = new MemoryStream();
        for (int count; (count = stream.Read(buffer)) > 0;)
        {
            read.Write(buffer, 0, count);
            if (read.Length > LongestBytes)
            {
                throw new IOException($"it has more than {LongestBytes >> 20} MB.");
            }
        }

        return new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetString(read.GetBuffer(), 0, (int)read.Length).TrimStart('\uFEFF');
    }
}
