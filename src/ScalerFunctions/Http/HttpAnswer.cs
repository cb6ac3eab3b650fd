using System.Text.Json;
using FuncScaler.Runtime.Service;
using Microsoft.AspNetCore.Mvc;

namespace FuncScaler.ScalerFunctions.Http;

/// <summary>Answers in JSON.</summary>
internal static class HttpAnswer
{
    public static ContentResult Of(JsonAnswer answer) => Json(answer.StatusCode, answer.Json);

    public static ContentResult Json(int status, string json) => new() { StatusCode = status, Content = json, ContentType = "application/json" };

    /// <summary>In the same form as the contract's errors.</summary>
    public static ContentResult Error(int code, string status, string error) => Json(code, JsonSerializer.Serialize(new { status, error }));
}
