namespace FuncScaler.ContestSimulator;

/// <summary>Writes files that are there whole or not at all.</summary>
public static class WholeFile
{
    /// <summary>Writes a file beside its place, and puts it there when it is complete; one that is there already is replaced.</summary>
    /// <param name="path">The file.</param>
    /// <param name="write">Writes into a stream that is not closed yet.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static async Task WriteAsync(string path, Func<Stream, Task> write)
    {
        ArgumentNullException.ThrowIfNull(write);
        var part = path + ".part";
        try
        {
            var file = new FileStream(part, FileMode.Create, FileAccess.Write, FileShare.None);
            await using (file.ConfigureAwait(false))
            {
                await write(file).ConfigureAwait(false);
            }

            File.Move(part, path, overwrite: true);
        }
        catch
        {
            File.Delete(part);
            throw;
        }
    }

    /// <summary>The same for text, in UTF-8.</summary>
    public static Task WriteTextAsync(string path, string text) =>
        WriteAsync(path, file => file.WriteAsync(System.Text.Encoding.UTF8.GetBytes(text)).AsTask());
}
