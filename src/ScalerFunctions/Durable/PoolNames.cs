using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using FuncScaler.Leasing.Messages;
using Microsoft.DurableTask.Entities;

namespace FuncScaler.ScalerFunctions.Durable;

/// <summary>Names of the durable parts, as they stand in storage: changing one strands what is stored under it.</summary>
internal static class PoolNames
{
    /// <summary>The longest key that is used as it is.</summary>
    private const int LongestKey = 100;

    private static readonly SearchValues<char> Plain = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:");

    /// <summary>The entity of a function's pool.</summary>
    /// <remarks>
    /// Function keys are free text, and keys in storage are not: one that is long or has other than plain characters is named by its hash.
    /// </remarks>
    public static EntityInstanceId EntityOf(MetaKey function) => new(nameof(SlotPoolEntity), KeyOf(function.Value));

    /// <summary>The entity of a worker's life.</summary>
    public static EntityInstanceId EntityOf(WorkerId worker) => new(nameof(WorkerEntity), KeyOf(worker.Value));

    /// <summary>The orchestration that looks at everything because a worker's life is over; one for each life.</summary>
    public static string LookFor(WorkerId worker) => $"reconcile-after-{KeyOf(worker.Value)}";

    /// <summary>The orchestration that destroys a slot; the same for a repeated effect.</summary>
    public static string DestroyOf(SlotTicket ticket, int attempt) => string.Create(CultureInfo.InvariantCulture, $"destroy-{ticket}-{attempt}");

    private static string KeyOf(string name) => name.Length <= LongestKey && !name.AsSpan().ContainsAnyExcept(Plain)
        ? name
        : "~" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)));
}
