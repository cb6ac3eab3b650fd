using System.Text;

namespace FuncScaler.Runtime;

/// <summary>Reads settings files whole: a device or a pipe may have no end.</summary>
public static class BoundedFile
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The bytes of a file; null where there are more than may be.</summary>
    /// <param name="path">The file.</param>
    /// <param name="mostBytes">The most bytes that are read.</param>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">Likewise.</exception>
    public static byte[]? Read(string path, int mostBytes)
    {
        using var stream = File.OpenRead(path);
        var buffer = new byte[64 * 1024];
        using var read = new MemoryStream();
        for (int count; (count = stream.Read(buffer)) > 0;)
        {
            if (read.Length + count > mostBytes)
            {
                return null;
            }

            read.Write(buffer, 0, count);
        }

        return read.ToArray();
    }

    /// <summary>Bytes as text, without the mark that may stand before it.</summary>
    /// <exception cref="DecoderFallbackException">They are no UTF-8.</exception>
    public static string Text(byte[] bytes)
    {
        ArgumentNullException.ThrowIfNull(bytes);
        return Strict.GetString(bytes).TrimStart('\uFEFF');
    }
}
