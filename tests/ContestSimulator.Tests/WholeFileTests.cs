using FuncScaler.ContestSimulator;

namespace FuncScaler.Tests;

public sealed class WholeFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("whole-file-").FullName;

    private string Path => System.IO.Path.Combine(_folder, "results.csv");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_file_that_was_there_is_replaced()
    {
        await File.WriteAllTextAsync(Path, "something that is longer");

        await WholeFile.WriteTextAsync(Path, "new");

        Assert.Equal("new", await File.ReadAllTextAsync(Path));
        Assert.Equal([Path], Directory.GetFiles(_folder));
    }

    [Fact]
    public async Task What_breaks_off_leaves_what_was_there_and_nothing_beside_it()
    {
        await File.WriteAllTextAsync(Path, "old");

        await Assert.ThrowsAsync<OperationCanceledException>(() => WholeFile.WriteAsync(Path, async file =>
        {
            await file.WriteAsync("ne"u8.ToArray());
            throw new OperationCanceledException();
        }));

        Assert.Equal("old", await File.ReadAllTextAsync(Path));
        Assert.Equal([Path], Directory.GetFiles(_folder));
    }
}
