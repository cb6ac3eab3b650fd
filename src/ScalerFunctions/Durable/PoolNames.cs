using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
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
    public static EntityInstanceId EntityOf(MetaKey function) => new(nameof(SlotPoolEntity), KeyOf(function));

    /// <summary>The orchestration that destroys a slot; the same for a repeated effect.</summary>
    public static string DestroyOf(SlotTicket ticket, int attempt) => string.Create(CultureInfo.InvariantCulture, $"destroy-{ticket}-{attempt}");

    private static string KeyOf(MetaKey function) => function.Value.Length <= LongestKey && !function.Value.AsSpan().ContainsAnyExcept(Plain)
        ? function.Value
        : "~" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(function.Value)));
}
