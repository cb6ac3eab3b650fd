using FuncScaler.Runtime.State;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;

namespace FuncScaler.Tests.State;

public sealed class SqliteStateStoreTests : StateStoreContract
{
    private readonly string _folder = Directory.CreateTempSubdirectory("state-").FullName;

    private string File => Path.Combine(_folder, "state.db");

    public override void Dispose()
    {
        Directory.Delete(_folder, recursive: true);
        base.Dispose();
    }

    protected override IStateStore Open() => new SqliteStateStore(File);

    [Fact]
    public void A_second_process_is_told_that_the_file_is_in_use()
    {
        using var first = Open();

        var error = Assert.Throws<StateStoreException>(() => Open().Dispose());

        Assert.Equal("another process has it open", error.Message);
        Assert.False(error.Damaged);
    }

    [Fact]
    public void A_database_of_another_program_or_of_a_later_version_is_refused_and_stays()
    {
        Run(File, "CREATE TABLE other (x)");
        Assert.Contains("another program", Assert.Throws<StateStoreException>(() => Open().Dispose()).Message, StringComparison.Ordinal);

        var later = Path.Combine(_folder, "later.db");
        new SqliteStateStore(later).Dispose();
        Run(later, "PRAGMA user_version = 99");
        var error = Assert.Throws<StateStoreException>(() => new SqliteStateStore(later).Dispose());

        Assert.Contains("version 99", error.Message, StringComparison.Ordinal);
        Assert.False(error.Damaged);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4096)]
    [InlineData(12_288)]
    public void A_damaged_file_is_set_aside_and_never_served_from(int from)
    {
        using (var store = Open())
        {
            store.Load();
            store.Save(Batch(100, [.. Enumerable.Range(1, 100).Select(i => Slot(i, SlotState.Idle))]));
        }

        var bytes = System.IO.File.ReadAllBytes(File);
        bytes.AsSpan(from, Math.Min(1000, bytes.Length - from)).Fill(0xA5);
        System.IO.File.WriteAllBytes(File, bytes);

        using var state = StateFile.Open(File, TimeProvider.System, NullLogger.Instance);

        Assert.Equal((0, 0), (state.SlotsKnown, state.LastTicket));
        var aside = Assert.Single(Directory.GetFiles(_folder, "*.damaged-*"));
        Assert.Equal(bytes, System.IO.File.ReadAllBytes(aside));
    }

    [Fact]
    public void A_slot_that_no_version_writes_is_damage()
    {
        using (var store = Open())
        {
            store.Save(Batch(1, [Slot(1, SlotState.Idle)]));
        }

        Run(File, "UPDATE slots SET state = 99");
        using var again = Open();

        Assert.True(Assert.Throws<StateStoreException>(() => again.Load()).Damaged);
    }

    private static void Run(string file, string command)
    {
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        using var run = connection.CreateCommand();
        run.CommandText = command;
        run.ExecuteNonQuery();
    }
}
