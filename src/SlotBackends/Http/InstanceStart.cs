using FuncScaler.SlotBackends.Settings;

namespace FuncScaler.SlotBackends.Http;

/// <summary>How a started container or process becomes an instance of its function.</summary>
public enum InitMode
{
    /// <summary>It is one as soon as it listens.</summary>
    None,

    /// <summary>POST /init with the function's metadata, as the OpenWhisk action runtimes expect it.</summary>
    HttpInit,
}

/// <summary>How an instance is made ready.</summary>
public sealed record InstanceStart
{
    public InitMode Init { get; init; } = InitMode.None;

    /// <summary>The path whose 2xx says that it is ready; empty when any HTTP answer to <c>/</c> does.</summary>
    public string HealthPath { get; init; } = "";

    /// <summary>How long it may take to become ready, specialisation included.</summary>
    /// <value>1 ms to 1 hour.</value>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>The pause between two looks; short, because it is part of every cold start.</summary>
    /// <value>1 ms to 1 minute.</value>
    public TimeSpan PollDelay { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Adds what is wrong; paths begin with <paramref name="where"/>.</summary>
    internal void Check(SettingErrors errors, string where)
    {
        errors.Range($"{where}.timeout", Timeout, TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1));
        errors.Range($"{where}.pollDelay", PollDelay, TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1));
    }
}

/// <summary>What an action runtime needs to know of a function, beside its name.</summary>
public sealed record FunctionCode
{
    /// <summary>The code, or a base64 archive of it where <see cref="Binary"/>.</summary>
    public string Code { get; init; } = "";

    public bool Binary { get; init; }

    /// <summary>The entry point.</summary>
    public string Main { get; init; } = "main";

    /// <summary>Environment variables for the function.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();
}
