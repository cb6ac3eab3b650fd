using System.Security.Cryptography;
using System.Text;
using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.Runtime.Security;

/// <summary>Files that settings name, and a hash over those that were read: links and times tell less surely whether something has changed.</summary>
/// <param name="folder">What relative paths are relative to.</param>
public sealed class SettingsFiles(string folder)
{
    /// <summary>The largest file that is read, bytes.</summary>
    private const int LargestFile = 4 << 20;

    private readonly StringBuilder _hashes = new();

    /// <summary>Another one for each content of the files that were read.</summary>
    public string Version => _hashes.ToString();

    /// <summary>Reads a file whole.</summary>
    /// <param name="what">The setting that names it, for messages.</param>
    /// <param name="path">The file.</param>
    /// <exception cref="BackendSettingsException">It cannot be read, or has more than 4 MB.</exception>
    public string Text(string what, string path)
    {
        try
        {
            var bytes = BoundedFile.Read(Path.Combine(folder, path), LargestFile) ?? throw new IOException($"it has more than {LargestFile >> 20} MB");
            _hashes.Append(Convert.ToHexString(SHA256.HashData(bytes)));
            return BoundedFile.Text(bytes);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or DecoderFallbackException)
        {
            throw new BackendSettingsException($"{what} '{path}' cannot be read: {e.Message.TrimEnd('.')}.", e);
        }
    }
}
