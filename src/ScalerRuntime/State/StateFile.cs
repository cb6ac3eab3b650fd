using System.Globalization;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Runtime.State;

/// <summary>Opens the file with a scaler's state. A damaged one is set aside, never served from.</summary>
public static partial class StateFile
{
    /// <summary>What stands behind the name of the file with who holds what.</summary>
    internal const string Marks = "-holders";

    /// <param name="path">The file; made where there is none.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">For what operators should know.</param>
    /// <param name="forgetAfter">For how long what was learned of a function is kept that nobody calls; null for <see cref="DurableState.DefaultForgetAfter"/>.</param>
    /// <exception cref="StateStoreException">It is in use, of another program or of a later version, or cannot be opened.</exception>
    public static DurableState Open(string path, TimeProvider time, ILogger logger, TimeSpan? forgetAfter = null)
    {
        ArgumentNullException.ThrowIfNull(time);
        try
        {
            return OpenOnce(path, time, logger, forgetAfter);
        }
        catch (StateStoreException e) when (e.Damaged)
        {
            var aside = string.Create(CultureInfo.InvariantCulture, $"{path}.damaged-{time.GetUtcNow():yyyyMMdd'T'HHmmssfff}");
            try
            {
                foreach (var part in (string[])["", "-wal", "-shm", Marks])
                {
                    if (File.Exists(path + part))
                    {
                        File.Move(path + part, aside + part);
                    }
                }
            }
            catch (Exception moving) when (moving is IOException or UnauthorizedAccessException)
            {
                throw new StateStoreException($"{e.Message} It cannot be set aside either: {moving.Message}", e);
            }

            LogSetAside(logger, path, e.Message, aside);
            return OpenOnce(path, time, logger, forgetAfter);
        }
    }

    private static DurableState OpenOnce(string path, TimeProvider time, ILogger logger, TimeSpan? forgetAfter)
    {
        var store = new SqliteStateStore(path);
        try
        {
            return new DurableState(store, path + Marks, time, logger) { ForgetAfter = forgetAfter ?? DurableState.DefaultForgetAfter };
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    [LoggerMessage(134, LogLevel.Error, "The state in {Path} cannot be used: {Reason}. It is kept as {Aside}, and the scaler begins anew: slots that it knew are not given back")]
    private static partial void LogSetAside(ILogger logger, string path, string reason, string aside);
}
