using System.Buffers;
using System.Globalization;
using System.IO.Hashing;
using System.Runtime.CompilerServices;
using System.Text;
using FuncScaler.Learned;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace FuncScaler.Runtime.State;

/// <summary>The state in a SQLite database: one file with a write-ahead log, opened by one process at a time.</summary>
/// <remarks>
/// A commit is synchronised with the disk, so that what was saved survives a power cut. SQLite finds what is torn in its log by checksums, and
/// what is damaged in the file by its structure. Rows of slots and records of what was learned have checksums besides.
/// </remarks>
public sealed class SqliteStateStore : IStateStore
{
    /// <summary>The version of the tables.</summary>
    private const int Schema = 1;

    /// <summary>"FnSc": which program's file it is.</summary>
    private const int ApplicationId = 0x466E5363;

    /// <summary>Records are read into arrays so large that the garbage collector does not copy them, bytes.</summary>
    private const int SlabBytes = 128 * 1024;

    // SQLite's own numbers.
    private const int Busy = 5;
    private const int Corrupt = 11;
    private const int NotADatabase = 26;

    private readonly SqliteConnection _connection;
    private readonly SqliteCommand _setMeta;
    private readonly SqliteCommand _putSlot;
    private readonly SqliteCommand _dropSlot;
    private readonly SqliteCommand _putLearned;
    private readonly SqliteCommand _forget;

    /// <summary>Opens a file, and makes it where there is none.</summary>
    /// <exception cref="StateStoreException">It is damaged, of another program, newer, in use, or cannot be opened.</exception>
    public SqliteStateStore(string path)
    {
        _connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false, DefaultTimeout = 2 }.ToString());
        try
        {
            _connection.Open();
            Run("PRAGMA locking_mode = EXCLUSIVE");
            Run("PRAGMA journal_mode = WAL");
            Run("PRAGMA synchronous = FULL");
            Run("PRAGMA wal_autocheckpoint = 2000");
            Prepare();
            _setMeta = Command("INSERT INTO meta VALUES ($key, $value) ON CONFLICT (key) DO UPDATE SET value = excluded.value", "$key", "$value");
            _putSlot = Command(
                "INSERT INTO slots VALUES ($ticket, $key, $runtime, $timeout, $memory, $concurrency, $state, $backend, $instance, $address, $requests, $since, $checksum) "
                    + "ON CONFLICT (ticket) DO UPDATE SET key = excluded.key, runtime = excluded.runtime, timeout = excluded.timeout, memory = excluded.memory, concurrency = excluded.concurrency, "
                    + "state = excluded.state, backend = excluded.backend, instance = excluded.instance, address = excluded.address, requests = excluded.requests, "
                    + "since = excluded.since, checksum = excluded.checksum",
                "$ticket",
                "$key",
                "$runtime",
                "$timeout",
                "$memory",
                "$concurrency",
                "$state",
                "$backend",
                "$instance",
                "$address",
                "$requests",
                "$since",
                "$checksum");
            _dropSlot = Command("DELETE FROM slots WHERE ticket = $ticket", "$ticket");
            _putLearned = Command(
                "INSERT INTO learned VALUES ($key, $record, $written) ON CONFLICT (key) DO UPDATE SET record = excluded.record, written = excluded.written",
                "$key",
                "$record",
                "$written");
            _forget = Command("DELETE FROM learned WHERE key = $key", "$key");
        }
        catch (SqliteException e)
        {
            _connection.Dispose();
            throw Translate(e);
        }
        catch
        {
            _connection.Dispose();
            throw;
        }
    }

    public SavedState Load() => Try(() => new SavedState(
        (string)(Meta("run") ?? throw Damaged("it has no name of a run")), new StateClock(Number("core"), Number("unix")), Number("ticket"), LoadSlots(), LoadLearned()));

    public void Save(StateBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        Try(() =>
        {
            using var transaction = _connection.BeginTransaction();
            Run(_setMeta, transaction, "core", batch.Clock.CoreUs);
            Run(_setMeta, transaction, "unix", batch.Clock.UnixUs);
            Run(_setMeta, transaction, "ticket", batch.LastTicket);
            foreach (var slot in batch.Slots)
            {
                var values = ValuesOf(slot);
                Run(_putSlot, transaction, [.. values, ChecksumOf(values)]);
            }

            foreach (var ticket in batch.Gone)
            {
                Run(_dropSlot, transaction, ticket.Value);
            }

            foreach (var (function, learned) in batch.Learned)
            {
                Run(_putLearned, transaction, function.Value, learned.Record.ToArray(), learned.WrittenUs);
            }

            foreach (var function in batch.Forgotten)
            {
                Run(_forget, transaction, function.Value);
            }

            transaction.Commit();
            return true;
        });
    }

    public void Dispose()
    {
        try
        {
            _connection.Dispose();
        }
        catch (SqliteException)
        {
            // The last checkpoint found no room; the log has all.
        }
    }

    /// <summary>Reads by SQLite's own calls: the cells of a reader are objects, and take three times as long at a start with 100,000 rows.</summary>
    /// <remarks>Compiled in full at once, as <see cref="LoadLearned"/> is: it runs once, and would be over before the compiler had noticed it.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private List<SavedSlot> LoadSlots()
    {
        var slots = new List<SavedSlot>();
        var (runtime, row) = ("", new ArrayBufferWriter<byte>(256));
        using var rows = Query("SELECT ticket, key, runtime, timeout, memory, concurrency, state, backend, instance, address, requests, since, checksum FROM slots ORDER BY ticket");
        while (Next(rows))
        {
            var ticket = raw.sqlite3_column_int64(rows, 0);
            var (timeout, memoryMb, concurrency, state) = (
                raw.sqlite3_column_int(rows, 3), raw.sqlite3_column_int(rows, 4), raw.sqlite3_column_int(rows, 5), raw.sqlite3_column_int(rows, 6));
            if ((SlotState)state is < SlotState.Held or > SlotState.Destroying || memoryMb < 1 || FunctionMeta.WhyNoConcurrency(concurrency) is not null)
            {
                throw Damaged($"the slot with ticket {ticket} has state {state}, {memoryMb} MB and {concurrency} requests an instance");
            }

            var (hasAddress, hasRequests) = (raw.sqlite3_column_type(rows, 9) != raw.SQLITE_NULL, raw.sqlite3_column_type(rows, 10) != raw.SQLITE_NULL);
            var (since, checksum) = (raw.sqlite3_column_int64(rows, 11), raw.sqlite3_column_int64(rows, 12));

            // As ChecksumOf makes it. SQLite writes numbers as .NET does.
            row.ResetWrittenCount();
            for (var column = 0; column < 12; column++)
            {
                row.Write(column == 0 ? [] : "\n"u8);
                row.Write(raw.sqlite3_column_blob(rows, column));
            }

            if (Crc32.HashToUInt32(row.WrittenSpan) != checksum)
            {
                throw Damaged($"the slot with ticket {ticket} has another checksum");
            }

            var thisRuntime = Text(rows, 2);
            runtime = thisRuntime == runtime ? runtime : thisRuntime;
            slots.Add(new SavedSlot(
                new SlotTicket(ticket),
                new FunctionMeta(new MetaKey(Text(rows, 1)), runtime, timeout, memoryMb, concurrency),
                (SlotState)state,
                Text(rows, 7),
                Text(rows, 8),
                hasAddress ? Text(rows, 9) : null,
                hasRequests ? Text(rows, 10) : null,
                since));
        }

        return slots;
    }

    /// <inheritdoc cref="LoadSlots"/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private Dictionary<MetaKey, LearnedBytes> LoadLearned()
    {
        var (learned, slab, used) = (new Dictionary<MetaKey, LearnedBytes>(), Array.Empty<byte>(), 0);
        using var rows = Query("SELECT key, record, written FROM learned");
        while (Next(rows))
        {
            var record = raw.sqlite3_column_blob(rows, 1);
            if (record.Length > slab.Length - used)
            {
                (slab, used) = (GC.AllocateUninitializedArray<byte>(Math.Max(SlabBytes, record.Length)), 0);
            }

            record.CopyTo(slab.AsSpan(used));
            learned[new MetaKey(Text(rows, 0))] = new LearnedBytes(slab.AsMemory(used, record.Length), raw.sqlite3_column_int64(rows, 2));
            used += record.Length;
        }

        return learned;
    }

    private sqlite3_stmt Query(string text)
    {
        SqliteException.ThrowExceptionForRC(raw.sqlite3_prepare_v2(_connection.Handle, text, out var statement), _connection.Handle);
        return statement;
    }

    /// <summary>Goes to the next row.</summary>
    /// <returns>False after the last one.</returns>
    private bool Next(sqlite3_stmt rows)
    {
        var code = raw.sqlite3_step(rows);
        SqliteException.ThrowExceptionForRC(code, _connection.Handle);
        return code == raw.SQLITE_ROW;
    }

    private static string Text(sqlite3_stmt rows, int column) => Encoding.UTF8.GetString(raw.sqlite3_column_blob(rows, column));

    private long Number(string name) => Convert.ToInt64(Meta(name) ?? 0L, CultureInfo.InvariantCulture);

    private static StateStoreException Damaged(string how) => new($"the file is damaged: {how}") { Damaged = true };

    private static StateStoreException Translate(SqliteException e) => e.SqliteErrorCode switch
    {
        Corrupt or NotADatabase => new StateStoreException($"the file is damaged: {e.Message}", e) { Damaged = true },
        Busy => new StateStoreException("another process has it open", e),
        _ => new StateStoreException(e.Message, e),
    };

    /// <summary>Of all that a row says: SQLite finds a page that is torn, not a letter that has changed.</summary>
    private static long ChecksumOf(object?[] values) => (long)Crc32.HashToUInt32(Encoding.UTF8.GetBytes(string.Join('\n', values)));

    /// <summary>A row's values but its checksum, in the order of the columns.</summary>
    private static object?[] ValuesOf(SavedSlot slot) =>
    [
        slot.Ticket.Value,
        slot.Function.Key.Value,
        slot.Function.Runtime,
        slot.Function.TimeoutSeconds,
        slot.Function.MemoryMb,
        slot.Function.MaxConcurrency,
        (int)slot.State,
        slot.BackendId,
        slot.Instance,
        slot.Address,
        slot.Requests,
        slot.SinceUs,
    ];

    private static void Run(SqliteCommand command, SqliteTransaction transaction, params ReadOnlySpan<object?> values)
    {
        command.Transaction = transaction;
        for (var i = 0; i < values.Length; i++)
        {
            command.Parameters[i].Value = values[i] ?? DBNull.Value;
        }

        command.ExecuteNonQuery();
    }

    /// <summary>Makes the tables of a new file, and refuses a file of another program or of a later version of this one.</summary>
    private void Prepare()
    {
        var version = Convert.ToInt64(Ask("PRAGMA user_version"), CultureInfo.InvariantCulture);
        var application = Convert.ToInt64(Ask("PRAGMA application_id"), CultureInfo.InvariantCulture);
        if (application == 0 && version == 0 && Convert.ToInt64(Ask("SELECT count(*) FROM sqlite_schema"), CultureInfo.InvariantCulture) == 0)
        {
            using var transaction = _connection.BeginTransaction();
            Run($"PRAGMA application_id = {ApplicationId}");
            Run($"PRAGMA user_version = {Schema}");
            Run("CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID");
            Run("CREATE TABLE slots (ticket INTEGER PRIMARY KEY, key TEXT NOT NULL, runtime TEXT NOT NULL, timeout INTEGER NOT NULL, memory INTEGER NOT NULL, concurrency INTEGER NOT NULL, state INTEGER NOT NULL, backend TEXT NOT NULL, instance TEXT NOT NULL, address TEXT, requests TEXT, since INTEGER NOT NULL, checksum INTEGER NOT NULL)");
            Run("CREATE TABLE learned (key TEXT PRIMARY KEY, record BLOB NOT NULL, written INTEGER NOT NULL)");
            Run($"INSERT INTO meta VALUES ('run', '{Guid.NewGuid().ToString("N")[..8]}')");
            transaction.Commit();
        }
        else if (application != ApplicationId)
        {
            throw new StateStoreException("it is a database of another program");
        }
        else if (version > Schema)
        {
            throw new StateStoreException($"it is of version {version}, and this program knows those up to {Schema}");
        }
    }

    private object? Meta(string name)
    {
        using var command = Command("SELECT value FROM meta WHERE key = $key", "$key");
        command.Parameters[0].Value = name;
        return command.ExecuteScalar();
    }

    private SqliteCommand Command(string text, params ReadOnlySpan<string> parameters)
    {
        var command = _connection.CreateCommand();
        command.CommandText = text;
        foreach (var name in parameters)
        {
            command.Parameters.Add(new SqliteParameter { ParameterName = name });
        }

        return command;
    }

    private void Run(string text)
    {
        using var command = Command(text);
        command.ExecuteNonQuery();
    }

    private object? Ask(string text)
    {
        using var command = Command(text);
        return command.ExecuteScalar();
    }

    private static T Try<T>(Func<T> action)
    {
        try
        {
            return action();
        }
        catch (SqliteException e)
        {
            throw Translate(e);
        }
        catch (Exception e) when (e is InvalidCastException or FormatException or OverflowException)
        {
            throw Damaged(e.Message);
        }
    }
}
