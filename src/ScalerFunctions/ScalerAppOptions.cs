using FuncScaler.Policies;
using Microsoft.Extensions.Options;

namespace FuncScaler.ScalerFunctions;

/// <summary>The app's settings, section <c>Scaler</c>.</summary>
public sealed class ScalerAppOptions
{
    /// <summary>The configuration section.</summary>
    public const string Section = "Scaler";

    /// <summary>The contest platform's address, host:port.</summary>
    public string Platform { get; set; } = "127.0.0.1:50051";

    /// <summary>How instances are kept, for example <c>ttl:9</c>.</summary>
    public string Policy { get; set; } = PolicyCatalog.Default;
}

/// <summary>Finds wrong settings at the start, with a sentence on how to mend them.</summary>
internal sealed class ScalerAppOptionsValidator : IValidateOptions<ScalerAppOptions>
{
    public ValidateOptionsResult Validate(string? name, ScalerAppOptions options)
    {
        var failures = new List<string>();
        if (!Uri.TryCreate("http://" + options.Platform, UriKind.Absolute, out _))
        {
            failures.Add($"Scaler:Platform '{options.Platform}' is no address: write host:port, for example 127.0.0.1:50051.");
        }

        try
        {
            PolicyCatalog.Parse(options.Policy);
        }
        catch (FormatException e)
        {
            failures.Add($"Scaler:Policy: {e.Message}");
        }

        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }
}
