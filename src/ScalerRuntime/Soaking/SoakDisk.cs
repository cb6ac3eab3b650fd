using System.Globalization;
using FuncScaler.Runtime.State;

namespace FuncScaler.Runtime.Soaking;

/// <summary>
/// What outlives a process in a simulated world. The state is in memory, or in a database whose log is torn where the process ended while it
/// wrote; who holds what is in a file, as in earnest.
/// </summary>
internal sealed class SoakDisk : IDisposable
{
    private readonly Dice _dice;
    private readonly SoakLog _log;
    private readonly string _folder = Directory.CreateTempSubdirectory("funcscaler-soak-").FullName;
    private readonly MemoryStateStore? _memory;
    private SqliteStateStore? _database;
    private long _logBytes;
    private int _lives;

    /// <param name="dice">Decides what is torn off.</param>
    /// <param name="log">What happens is told there.</param>
    /// <param name="real">Whether it is a database.</param>
    public SoakDisk(Dice dice, SoakLog log, bool real)
    {
        (_dice, _log) = (dice, log);
        _memory = real ? null : new MemoryStateStore();
    }

    /// <summary>The file that says who holds what.</summary>
    public string MarksPath => Path.Combine(_folder, "holders");

    private string DatabasePath => Path.Combine(_folder, string.Create(CultureInfo.InvariantCulture, $"state-{_lives}"));

    private string LogPath => DatabasePath + "-wal";

    /// <summary>The state as the process that begins finds it.</summary>
    public IStateStore Open()
    {
        if (_memory is not null)
        {
            return _memory;
        }

        _database = new SqliteStateStore(DatabasePath);
        Saved();
        return _database;
    }

    /// <summary>The process has ended.</summary>
    /// <param name="saving">Whether it was saving a batch.</param>
    /// <param name="powerCut">Whether mapped memory is lost with it.</param>
    /// <param name="forgetHolders">For the test of the tests: the marks say that nobody holds anything.</param>
    public void Crash(bool saving, bool powerCut, bool forgetHolders)
    {
        if (powerCut)
        {
            File.Delete(MarksPath);
        }
        else if (forgetHolders)
        {
            var bytes = File.ReadAllBytes(MarksPath);
            for (var at = 64; at + 16 <= bytes.Length; at += 16)
            {
                bytes.AsSpan(at + 8, 8).Clear();
            }

            File.WriteAllBytes(MarksPath, bytes);
        }

        if (_database is null)
        {
            return;
        }

        // As it is at this moment, and as another process would find it; the connection still has its locks.
        var (database, log) = (DatabasePath, LogPath);
        _lives++;
        File.Copy(database, DatabasePath);
        if (File.Exists(log))
        {
            File.Copy(log, LogPath);
            var length = new FileInfo(LogPath).Length;
            if (saving && length > _logBytes)
            {
                using var torn = new FileStream(LogPath, FileMode.Open, FileAccess.Write);
                torn.SetLength(_dice.Between(_logBytes, length));
                _log.Add($"the log is torn at {torn.Length} of {length}");
                _log.Count(SoakFault.TornWrite);
            }
        }

        _database.Dispose();
    }

    /// <summary>Removes it; the process has ended.</summary>
    public void Dispose()
    {
        _database?.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>A batch was saved: no crash tears it any more.</summary>
    public void Saved() => _logBytes = _database is not null && File.Exists(LogPath) ? new FileInfo(LogPath).Length : 0;
}
